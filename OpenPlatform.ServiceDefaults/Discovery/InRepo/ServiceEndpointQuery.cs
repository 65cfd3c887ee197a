using System.Diagnostics.CodeAnalysis;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>
/// What a name asks for: <c>https+http://_admin.catalog</c> is the endpoint <c>admin</c> of the service <c>catalog</c> over https or, failing
/// that, http. Without a leading underscore there is no endpoint name, and dots belong to the service.
/// </summary>
public sealed class ServiceEndpointQuery
{
    private readonly string _text;

    private ServiceEndpointQuery(string text, string[] schemes, string serviceName, string? endpointName)
    {
        _text = text;
        IncludedSchemes = schemes;
        ServiceName = serviceName;
        EndpointName = endpointName;
    }

    /// <summary>Schemes in order of preference; empty when the name gave none.</summary>
    public IReadOnlyList<string> IncludedSchemes { get; }

    public string? EndpointName { get; }

    public string ServiceName { get; }

    public static bool TryParse(string input, [NotNullWhen(true)] out ServiceEndpointQuery? query)
    {
        ArgumentException.ThrowIfNullOrEmpty(input);
        query = null;
        var hasScheme = input.Contains("://", StringComparison.Ordinal);
        if (!Uri.TryCreate(hasScheme ? input : $"endpoint://{input}", UriKind.Absolute, out var uri))
        {
            return false;
        }

        var (service, endpoint) = (uri.Host, (string?)null);
        var dot = service.IndexOf('.');
        if (service.StartsWith('_') && dot > 1 && dot < service.Length - 1)
        {
            (service, endpoint) = (service[(dot + 1)..], service[1..dot]);
        }

        query = new ServiceEndpointQuery(input, hasScheme ? uri.Scheme.Split('+') : [], service, endpoint);
        return true;
    }

    public override string ToString() => _text;
}
