namespace Aspire.Hosting.ApplicationModel;

/// <summary>A GET that tells whether an instance of the resource is healthy.</summary>
internal sealed class HttpHealthCheckAnnotation(string key, EndpointReference endpoint, string path, int statusCode) : HealthCheckAnnotation(key)
{
    internal EndpointReference Endpoint { get; } = endpoint;
    internal string Path { get; } = path;
    internal int StatusCode { get; } = statusCode;
}
