using System.Net;
using OpenPlatform.Contracts.Snapshots;
using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Gateway.Protocols;

/// <summary>One forwarder configuration for each protocol a backend may speak, compiled with the snapshot.</summary>
internal sealed class BackendVersions(TimeSpan activityTimeout)
{
    // Without TLS, HttpClient speaks HTTP/1.1; with it, HTTP/2 where the instance offers it.
    private readonly ForwarderRequestConfig _negotiated = new() { ActivityTimeout = activityTimeout };

    private readonly ForwarderRequestConfig _http1 =
        new() { ActivityTimeout = activityTimeout, Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

    private readonly ForwarderRequestConfig _http2 =
        new() { ActivityTimeout = activityTimeout, Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

    public ForwarderRequestConfig For(BackendModel backend) => backend.Protocol switch
    {
        null => _negotiated,
        BackendProtocol.Http1 => _http1,
        _ => _http2,
    };
}
