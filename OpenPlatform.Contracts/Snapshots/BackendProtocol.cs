namespace OpenPlatform.Contracts.Snapshots;

/// <summary>Values of <see cref="BackendModel.Protocol"/>.</summary>
public static class BackendProtocol
{
    /// <summary>HTTP/1.1 and nothing else.</summary>
    public const string Http1 = "http1";

    /// <summary>HTTP/2: by prior knowledge without TLS (h2c), by ALPN with it. What gRPC needs.</summary>
    public const string Http2 = "http2";

    internal static void Validate(BackendModel backend, string at, Action<string, string> problem)
    {
        if (backend.Protocol is not (null or Http1 or Http2))
        {
            problem(at + "/protocol", $"must be {Http1} or {Http2}, or absent: HTTP/1.1 at http addresses, what the instance offers at https ones");
        }
    }
}
