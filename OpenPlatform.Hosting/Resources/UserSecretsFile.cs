using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Aspire.Hosting;
using Microsoft.Extensions.Configuration.UserSecrets;

namespace OpenPlatform.Hosting;

/// <summary>The AppHost's user secrets, as <c>dotnet user-secrets</c> keeps them: one JSON object, keys with colons, readable by the owner only.</summary>
internal sealed class UserSecretsFile(string path)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <returns>Null when the AppHost has no UserSecretsId.</returns>
    internal static UserSecretsFile? Of(Assembly assembly) =>
        assembly.GetCustomAttribute<UserSecretsIdAttribute>() is { UserSecretsId: { Length: > 0 } id } ? new(PathHelper.GetSecretsPathFromSecretsId(id)) : null;

    /// <summary>The value kept under the key; the first one to ask makes it, also when two AppHosts ask at once.</summary>
    internal string GetOrAdd(string key, Func<string> create)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var only = Lock();
        var secrets = Read();
        if (secrets[key]?.GetValue<string>() is { } known)
        {
            return known;
        }
        var value = create();
        secrets[key] = value;
        var fresh = path + ".new";
        File.Delete(fresh);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }
        using (var file = new FileStream(fresh, options))
        {
            JsonSerializer.Serialize(file, secrets, Indented);
        }
        File.Move(fresh, path, overwrite: true);
        return value;
    }

    private JsonObject Read()
    {
        if (!File.Exists(path))
        {
            return [];
        }
        try
        {
            var tree = JsonNode.Parse(File.ReadAllText(path), documentOptions: new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true }) as JsonObject ?? [];
            var flat = new JsonObject();
            Flatten(tree, prefix: "", flat);
            return flat;
        }
        catch (JsonException error)
        {
            throw new DistributedApplicationException($"The user secrets in '{path}' are not valid JSON ({error.Message}). Mend or delete the file.", error);
        }
    }

    private static void Flatten(JsonObject tree, string prefix, JsonObject flat)
    {
        foreach (var (name, node) in tree)
        {
            if (node is JsonObject section)
            {
                Flatten(section, $"{prefix}{name}:", flat);
            }
            else
            {
                flat[prefix + name] = node?.DeepClone();
            }
        }
    }

    private FileStream Lock()
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
            }
            catch (IOException) when (attempt < 100)
            {
                Thread.Sleep(50); // Another AppHost writes; it needs milliseconds, 5 s are plenty.
            }
        }
    }
}
