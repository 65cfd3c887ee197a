using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Declarative;

/// <summary>Names of a document: ids derived from them, and variables inside texts.</summary>
internal static partial class DeclaredName
{
    public static Guid IdOf(string kind, string name)
    {
        Span<byte> id = stackalloc byte[16];
        SHA256.HashData(Encoding.UTF8.GetBytes($"openplatform/{kind}/{name}")).AsSpan(0, 16).CopyTo(id);
        id[6] = (byte)((id[6] & 0x0F) | 0x80);
        id[8] = (byte)((id[8] & 0x3F) | 0x80);
        return new(id, bigEndian: true);
    }

    /// <summary>Id of the object that carries a name; without one any id will do, because the missing name is a problem itself.</summary>
    public static Guid Of(JsonObject named, string kind) => IdOf(kind, Text(named, "name") ?? "");

    /// <summary>A member that is a text, or null.</summary>
    public static string? Text(JsonObject owner, string member) =>
        owner.TryGetPropertyValue(member, out var node) && node is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    /// <summary>The text with every <c>${NAME}</c> replaced (<c>$${</c> stays as <c>${</c>), or null when it holds none.</summary>
    public static string? Substitute(string text, Func<string, string?> variable, Action<string> missing) => !text.Contains("${", StringComparison.Ordinal)
        ? null
        : Variable().Replace(text, match =>
        {
            if (match.Value.StartsWith("$$", StringComparison.Ordinal))
            {
                return match.Value[1..];
            }

            var name = match.Groups["name"].Value;
            if (variable(name) is { } value)
            {
                return value;
            }

            missing(name);
            return match.Value;
        });

    /// <summary>The text of which <see cref="Substitute"/> makes this one.</summary>
    public static string Literal(string text) => text.Contains("${", StringComparison.Ordinal) ? Variable().Replace(text, static match => "$" + match.Value) : text;

    /// <summary>One step of a JSON pointer (RFC 6901, 3).</summary>
    public static string Escape(object step) => $"{step}".Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    [GeneratedRegex(@"\$?\$\{(?<name>[A-Za-z_][A-Za-z0-9_]*)\}", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Variable();
}
