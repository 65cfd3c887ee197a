using System.Text;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Declarative;
using OpenPlatform.Gateway.StandAlone;
using YamlDotNet.Core;

namespace OpenPlatform.Cli.Documents;

/// <summary>
/// Declarative YAML and JSON files read as one document: the lists of all files together, <c>${NAME}</c> replaced from the environment, an OpenAPI
/// document that is named (<c>openApi: ./orders.yaml</c>) put in its place. Remembers from which file and line everything comes.
/// </summary>
internal sealed class DocumentSet
{
    private static readonly string[] Extensions = [".yaml", ".yml", ".json"];

    private readonly List<Part> _parts = [];
    private readonly List<string> _problems = [];

    private DocumentSet()
    {
    }

    /// <summary>Members of the root are the kinds, each a list.</summary>
    public JsonObject Root { get; } = [];

    /// <param name="paths">Files, folders (their YAML and JSON files, by name), or <c>-</c> for standard input.</param>
    /// <exception cref="CommandFailure">Something cannot be read; names every place.</exception>
    public static DocumentSet Read(IReadOnlyList<string> paths, Func<string, string?> variable)
    {
        var documents = new DocumentSet();
        foreach (var file in paths.SelectMany(Files))
        {
            documents.Add(file, variable);
        }

        return documents._problems.Count == 0
            ? documents
            : throw new CommandFailure(ExitCode.Usage, string.Join(Environment.NewLine, documents._problems));
    }

    /// <summary>A place of the whole as <c>file:line: /pointer</c>, the way compilers say it; a pointer that belongs to no file stays as it is.</summary>
    public string PlaceOf(string pointer)
    {
        foreach (var part in _parts)
        {
            if (pointer == part.Pointer || pointer.StartsWith(part.Pointer + "/", StringComparison.Ordinal))
            {
                return $"{part.File}:{part.Tree.LineOf(part.InFile + pointer[part.Pointer.Length..])}: {pointer}";
            }
        }

        return pointer;
    }

    private static IEnumerable<string> Files(string path) => Directory.Exists(path)
        ? Directory.EnumerateFiles(path).Where(static f => Extensions.Contains(Path.GetExtension(f), StringComparer.OrdinalIgnoreCase)).Order(StringComparer.Ordinal).ToArray() is { Length: > 0 } files
            ? files
            : throw new CommandFailure(ExitCode.Usage, $"{path} has no .yaml, .yml or .json file.")
        : [path];

    private void Add(string file, Func<string, string?> variable)
    {
        if (Parse(file) is not { } tree)
        {
            return;
        }

        if (tree.Root is not JsonObject root)
        {
            _problems.Add($"{file}:1: must be an object with lists such as apis, backends, plans and applications");
            return;
        }

        DeclaredVariables.Substitute(root, variable, (pointer, message) => _problems.Add($"{file}:{tree.LineOf(pointer)}: {pointer}: {message}"));
        foreach (var (kind, list) in root.ToArray())
        {
            if (list is null)
            {
                continue;
            }

            if (list is not JsonArray items)
            {
                _problems.Add($"{file}:{tree.LineOf("/" + kind)}: /{kind}: must be a list");
                continue;
            }

            Root[kind] ??= new JsonArray();
            var all = Root[kind]!.AsArray();
            for (var i = 0; i < items.Count; i++)
            {
                _parts.Add(new($"/{kind}/{all.Count}", file, tree, $"/{kind}/{i}"));
                var item = items[i]?.DeepClone();
                Include(item, file);
                all.Add(item);
            }
        }
    }

    /// <summary>An OpenAPI document in a file of its own, relative to the file that names it.</summary>
    private void Include(JsonNode? item, string file)
    {
        if (item is JsonObject api && api["openApi"] is JsonValue value && value.TryGetValue(out string? named))
        {
            var path = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file == "-" ? "." : file))!, named);
            api["openApi"] = Parse(path)?.Root?.DeepClone();
        }
    }

    private YamlTree? Parse(string file)
    {
        try
        {
            using var text = file == "-"
                ? Console.In
                : new StreamReader(file, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
            return YamlTree.Parse(text);
        }
        catch (YamlException e)
        {
            _problems.Add($"{file}:{e.Start.Line}:{e.Start.Column}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            _problems.Add($"{file}: {e.Message}"); // ArgumentException: bytes that are no UTF-8
        }

        return null;
    }

    /// <param name="Pointer">Of an item in the whole.</param>
    /// <param name="InFile">The same item's pointer in its file.</param>
    private sealed record Part(string Pointer, string File, YamlTree Tree, string InFile);
}
