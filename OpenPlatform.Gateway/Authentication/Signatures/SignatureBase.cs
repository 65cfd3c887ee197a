using System.Text;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>The parts of a message that a signature can cover.</summary>
internal interface IMessageComponents
{
    /// <summary>The combined value of a field (RFC 9421, 2.1), or null when it is absent.</summary>
    /// <param name="name">In lower case.</param>
    string? Field(string name);

    /// <summary>The values of a field, one for each of its lines as it was sent, without the blanks around them; none when it is absent.</summary>
    /// <param name="name">In lower case.</param>
    IReadOnlyList<string> Lines(string name);

    /// <summary>A derived component such as <c>@method</c> (RFC 9421, 2.2), or null when the message has none of that name.</summary>
    string? Derived(string name);

    /// <summary>The one query parameter of that name, encoded (RFC 9421, 2.2.8), or null when there is none or more than one.</summary>
    string? QueryParameter(string name);
}

/// <summary>What is signed: one line a component, the signature's own parameters last (RFC 9421, 2.5).</summary>
internal static class SignatureBase
{
    /// <summary>The bytes to verify; null when a component is absent, named twice, or asks for what a request
    /// has not (<c>req</c>) or is not offered here (<c>tr</c>).</summary>
    /// <param name="input">A member of <c>Signature-Input</c>: an inner list of components, with parameters.</param>
    public static byte[]? Build(SfItem input, IMessageComponents message)
    {
        var text = new StringBuilder(512);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var component in (List<SfItem>)input.Value)
        {
            if (component.Value is not string name || Value(component, name, message) is not { } value)
            {
                return null;
            }

            var start = text.Length;
            StructuredField.Write(text, component);
            if (!seen.Add(text.ToString(start, text.Length - start)))
            {
                return null;
            }

            text.Append(": ").Append(value).Append('\n');
        }

        text.Append("\"@signature-params\": ");
        StructuredField.Write(text, input);
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static string? Value(SfItem component, string name, IMessageComponents message)
    {
        if (name == "@query-param")
        {
            return component.Parameters is [{ Key: "name", Value: string parameter }] ? message.QueryParameter(parameter) : null;
        }

        if (component.Parameters.Count > 0)
        {
            return name.StartsWith('@') ? null : component.Parameters switch
            {
                [{ Key: "sf", Value: true }] => message.Field(name) is { } field ? StructuredField.Canonical(field) : null,
                [{ Key: "bs", Value: true }] => message.Lines(name) is { Count: > 0 } lines ? string.Join(", ", lines.Select(Wrap)) : null,
                [{ Key: "key", Value: string key }] => message.Field(name) is { } field ? Member(field, key) : null,
                _ => null,
            };
        }

        // A line break in a value would be another line of the base (RFC 9421, 7.5.7). Kestrel lets none through; this does not rely on it.
        var value = name.StartsWith('@') ? message.Derived(name) : message.Field(name);
        return value is null || value.AsSpan().ContainsAny('\r', '\n') ? null : value;
    }

    /// <summary>One member of a dictionary, without its name (RFC 9421, 2.1.2).</summary>
    private static string? Member(string field, string key)
    {
        if (StructuredField.ParseDictionary(field)?.FirstOrDefault(member => member.Key == key).Value is not { } item)
        {
            return null;
        }

        var text = new StringBuilder();
        StructuredField.Write(text, item);
        return text.ToString();
    }

    /// <summary>A line that need not be a structured field, as the byte sequence it is (RFC 9421, 2.1.3).</summary>
    private static string Wrap(string line) => $":{Convert.ToBase64String(Encoding.UTF8.GetBytes(line))}:";
}
