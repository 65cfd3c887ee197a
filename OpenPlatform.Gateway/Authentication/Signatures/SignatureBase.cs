using System.Text;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>The parts of a message that a signature can cover.</summary>
internal interface IMessageComponents
{
    /// <summary>The combined value of a field (RFC 9421, 2.1), or null when it is absent.</summary>
    /// <param name="name">In lower case.</param>
    string? Field(string name);

    /// <summary>A derived component such as <c>@method</c> (RFC 9421, 2.2), or null when the message has none of that name.</summary>
    string? Derived(string name);

    /// <summary>The one query parameter of that name, encoded (RFC 9421, 2.2.8), or null when there is none or more than one.</summary>
    string? QueryParameter(string name);
}

/// <summary>What is signed: one line a component, the signature's own parameters last (RFC 9421, 2.5).</summary>
internal static class SignatureBase
{
    /// <summary>The bytes to verify; null when a component is absent, named twice, or asks for what is not offered here
    /// (<c>sf</c>, <c>key</c>, <c>bs</c>, <c>req</c>, <c>tr</c>).</summary>
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
            return null;
        }

        // A line break in a value would be another line of the base (RFC 9421, 7.5.7). Kestrel lets none through; this does not rely on it.
        var value = name.StartsWith('@') ? message.Derived(name) : message.Field(name);
        return value is null || value.AsSpan().ContainsAny('\r', '\n') ? null : value;
    }
}
