using System.Globalization;
using System.Text;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>A text with holes: parameters, and addresses of services.</summary>
internal sealed record ValueModel(IReadOnlyList<ValuePart> Parts)
{
    public IEnumerable<ParameterModel> Parameters => Parts.OfType<ParameterPart>().Select(p => p.Parameter);
    public bool HasSecret => Parameters.Any(p => p.Secret);

    /// <summary>The text with every hole filled.</summary>
    /// <param name="address">Host and port by which a service is reached.</param>
    /// <param name="secret">What stands in for a parameter that the target fills.</param>
    /// <param name="literal">Applied to what is not a secret, where the target must escape it.</param>
    public string Render(Func<EndpointPart, (string Host, int Port)> address, Func<ParameterPart, string> secret, Func<string, string>? literal = null)
    {
        var text = new StringBuilder();
        foreach (var part in Parts)
        {
            var filled = part switch
            {
                TextPart known => known.Text,
                EndpointPart endpoint => endpoint.Text(address(endpoint)),
                ParameterPart { Parameter.Secret: false } given => given.Apply(given.Parameter.Value ?? ""),
                ParameterPart hidden => null,
                _ => throw new NotSupportedException(part.GetType().Name),
            };
            text.Append(filled is null ? secret((ParameterPart)part) : literal?.Invoke(filled) ?? filled);
        }

        return text.ToString();
    }

    public static ValueModel Of(string text) => new([new TextPart(text)]);
}

internal abstract record ValuePart;

internal sealed record TextPart(string Text) : ValuePart;

/// <param name="Format">Null, or <c>uri</c>: percent-encoded. A target that cannot encode takes secrets that need no encoding.</param>
internal sealed record ParameterPart(ParameterModel Parameter, string? Format) : ValuePart
{
    internal string Apply(string value) => Format == "uri" ? Uri.EscapeDataString(value) : value;
}

internal sealed record EndpointPart(string Service, EndpointModel Endpoint, EndpointProperty Property) : ValuePart
{
    internal string Text((string Host, int Port) address) => Property switch
    {
        EndpointProperty.Url => $"{Endpoint.Scheme}://{address.Host}:{address.Port}",
        EndpointProperty.Host or EndpointProperty.IPV4Host => address.Host,
        EndpointProperty.Port => address.Port.ToString(CultureInfo.InvariantCulture),
        EndpointProperty.HostAndPort => $"{address.Host}:{address.Port}",
        EndpointProperty.TargetPort => Endpoint.Port.ToString(CultureInfo.InvariantCulture),
        EndpointProperty.Scheme => Endpoint.Scheme,
        EndpointProperty.TlsEnabled => (Endpoint.Scheme == "https").ToString(),
        _ => throw new NotSupportedException(Property.ToString()),
    };
}
