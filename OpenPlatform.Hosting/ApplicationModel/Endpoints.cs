using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace Aspire.Hosting.ApplicationModel;

public enum EndpointBindingMode
{
    SingleAddress,
    DualStackAnyAddresses,
    IPv4AnyAddresses,
    IPv6AnyAddresses,
}

/// <summary>An address a resource offers. <see cref="Port"/> is the public one (the shared address in front of the replicas),
/// <see cref="TargetPort"/> the one the process listens on. Ports are 1 to 65535; null means "choose a free one".</summary>
[DebuggerDisplay("{Name} {UriScheme} {Port}->{TargetPort}")]
public sealed class EndpointAnnotation : IResourceAnnotation
{
    private int? _port;
    private int? _targetPort;
    private string? _transport;
    private bool? _tls;

    public EndpointAnnotation(ProtocolType protocol, string? uriScheme = null, string? transport = null, string? name = null, int? port = null,
        int? targetPort = null, bool? isExternal = null, bool? isProxied = null)
        : this(protocol, networkId: null, uriScheme, transport, name, port, targetPort, isExternal, isProxied) { }

    public EndpointAnnotation(ProtocolType protocol, NetworkIdentifier? networkId, string? uriScheme = null, string? transport = null, string? name = null, int? port = null,
        int? targetPort = null, bool? isExternal = null, bool? isProxied = null)
    {
        UriScheme = uriScheme ?? protocol.ToString().ToLowerInvariant();
        Name = name ?? UriScheme;
        ModelName.Validate("endpoint", Name, nameof(name));
        Protocol = protocol;
        DefaultNetworkID = networkId ?? KnownNetworkIdentifiers.LocalhostNetwork;
        _transport = transport;
        Port = port;
        TargetPort = targetPort;
        IsExternal = isExternal ?? false;
        IsExplicitlyProxied = isProxied;
        AllAllocatedEndpoints.TryAdd(DefaultNetworkID, AllocatedEndpointSnapshot);
    }

    public string Name { get; set; }
    public ProtocolType Protocol { get; set; }
    public string UriScheme { get; set; }
    public string TargetHost { get; set; } = "localhost";
    public bool IsExternal { get; set; }
    public bool ExcludeReferenceEndpoint { get; set; }
    public NetworkIdentifier DefaultNetworkID { get; }

    /// <summary>Without a proxy both ports are the same, so each stands in for the other.</summary>
    public int? Port { get => _port ?? (IsProxied ? null : _targetPort); set => _port = CheckPort(value, nameof(Port)); }
    public int? TargetPort { get => _targetPort ?? (IsProxied ? null : _port); set => _targetPort = CheckPort(value, nameof(TargetPort)); }

    public string Transport { get => _transport ?? (UriScheme is "http" or "https" ? "http" : Protocol.ToString().ToLowerInvariant()); set => _transport = value; }
    public bool TlsEnabled { get => _tls ?? UriScheme == "https"; set => _tls = value; }
    public bool IsProxied { get => IsExplicitlyProxied ?? true; set => IsExplicitlyProxied = value; }
    public bool? IsExplicitlyProxied { get; set; }

    public NetworkEndpointSnapshotList AllAllocatedEndpoints { get; } = new();
    public ValueSnapshot<AllocatedEndpoint> AllocatedEndpointSnapshot { get; } = new();

    /// <summary>Where it can be reached now; null until the orchestrator knows.</summary>
    public AllocatedEndpoint? AllocatedEndpoint
    {
        get => AllocatedEndpointSnapshot.IsValueSet ? AllocatedEndpointSnapshot.GetValueAsync().GetAwaiter().GetResult() : null;
        set => AllocatedEndpointSnapshot.SetValue(value ?? throw new ArgumentNullException(nameof(value)));
    }

    private int? CheckPort(int? port, string field) => port is null or (>= 1 and <= 65535)
        ? port
        : throw new ArgumentOutOfRangeException(field, port, $"{field} of endpoint '{Name}' must lie between 1 and 65535.");
}

public class AllocatedEndpoint(EndpointAnnotation endpoint, string address, int port, EndpointBindingMode bindingMode, string? targetPortExpression = null, NetworkIdentifier? networkId = null)
{
    public AllocatedEndpoint(EndpointAnnotation endpoint, string address, int port, string? targetPortExpression = null)
        : this(endpoint, address, port, EndpointBindingMode.SingleAddress, targetPortExpression) { }

    public EndpointAnnotation Endpoint { get; } = endpoint;
    public string Address { get; } = address;
    public int Port { get; } = port;
    public EndpointBindingMode BindingMode { get; } = bindingMode;
    public string? TargetPortExpression { get; } = targetPortExpression;
    public NetworkIdentifier NetworkID { get; } = networkId ?? KnownNetworkIdentifiers.LocalhostNetwork;
    public string UriScheme => Endpoint.UriScheme;
    public string EndPointString => $"{Address}:{Port}";
    public string UriString => $"{UriScheme}://{EndPointString}";
    public override string ToString() => UriString;
}

public sealed record NetworkEndpointSnapshot(ValueSnapshot<AllocatedEndpoint> Snapshot, NetworkIdentifier NetworkID);

/// <summary>The addresses of one endpoint, one for each network it is reached from.</summary>
public class NetworkEndpointSnapshotList : IEnumerable<NetworkEndpointSnapshot>
{
    private readonly ConcurrentDictionary<NetworkIdentifier, ValueSnapshot<AllocatedEndpoint>> _byNetwork = new();

    public bool TryAdd(NetworkIdentifier networkId, ValueSnapshot<AllocatedEndpoint> snapshot) => _byNetwork.TryAdd(networkId, snapshot);

    public void AddOrUpdateAllocatedEndpoint(NetworkIdentifier networkId, AllocatedEndpoint endpoint) => _byNetwork.GetOrAdd(networkId, _ => new()).SetValue(endpoint);

    public Task<AllocatedEndpoint> GetAllocatedEndpointAsync(NetworkIdentifier networkId, CancellationToken cancellationToken = default) =>
        _byNetwork.GetOrAdd(networkId, _ => new()).GetValueAsync(cancellationToken);

    internal AllocatedEndpoint? Find(NetworkIdentifier networkId) =>
        _byNetwork.TryGetValue(networkId, out var snapshot) && snapshot.IsValueSet ? snapshot.GetValueAsync().GetAwaiter().GetResult() : null;

    public IEnumerator<NetworkEndpointSnapshot> GetEnumerator() => _byNetwork.Select(p => new NetworkEndpointSnapshot(p.Value, p.Key)).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

public enum EndpointProperty
{
    Url,
    Host,
    IPV4Host,
    Port,
    Scheme,
    TargetPort,
    HostAndPort,
    TlsEnabled,
}

/// <summary>An endpoint of a resource by name, usable before it has an address. As a value it is the URL.</summary>
[DebuggerDisplay("{Resource.Name}/{EndpointName}")]
public sealed class EndpointReference : IExpressionValue, IValueWithReferences
{
    private EndpointAnnotation? _annotation;

    public EndpointReference(IResourceWithEndpoints owner, string endpointName) : this(owner, endpointName, contextNetworkId: null) { }

    public EndpointReference(IResourceWithEndpoints owner, string endpointName, NetworkIdentifier? contextNetworkId = null)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentNullException.ThrowIfNull(endpointName);
        (Resource, EndpointName, ContextNetworkID) = (owner, endpointName, contextNetworkId);
    }

    public EndpointReference(IResourceWithEndpoints owner, EndpointAnnotation endpoint) : this(owner, endpoint, contextNetworkId: null) { }

    public EndpointReference(IResourceWithEndpoints owner, EndpointAnnotation endpoint, NetworkIdentifier? contextNetworkId)
        : this(owner, (endpoint ?? throw new ArgumentNullException(nameof(endpoint))).Name, contextNetworkId) => _annotation = endpoint;

    public IResourceWithEndpoints Resource { get; }
    public string EndpointName { get; }
    public NetworkIdentifier? ContextNetworkID { get; }
    public string? ErrorMessage { get; init; }

    public EndpointAnnotation EndpointAnnotation => Find() ?? throw new InvalidOperationException(ErrorMessage ??
        $"Resource '{Resource.Name}' has no endpoint '{EndpointName}'. It has: {KnownEndpoints()}.");

    public bool Exists => Find() is not null;
    public bool IsAllocated => Allocated() is not null;
    public bool IsHttp => Scheme.Equals("http", StringComparison.OrdinalIgnoreCase);
    public bool IsHttps => Scheme.Equals("https", StringComparison.OrdinalIgnoreCase);
    public bool IsHttpSchemeNamedEndpoint => EndpointName.ToLowerInvariant() is "http" or "https";
    public bool TlsEnabled => Exists && EndpointAnnotation.TlsEnabled;
    public bool ExcludeReferenceEndpoint => Exists && EndpointAnnotation.ExcludeReferenceEndpoint;
    public string Scheme => EndpointAnnotation.UriScheme;
    public int? TargetPort => EndpointAnnotation.TargetPort;
    public int Port => AllocatedOrThrow().Port;
    public string Host => AllocatedOrThrow().Address;
    public string Url => AllocatedOrThrow().UriString;

    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => GetValueAsync(new ValueProviderContext(), cancellationToken);
    public ValueTask<string?> GetValueAsync(ValueProviderContext context, CancellationToken cancellationToken = default) =>
        Property(EndpointProperty.Url).GetValueAsync(context, cancellationToken);

    string IManifestExpressionProvider.ValueExpression => Property(EndpointProperty.Url).ValueExpression;
    IEnumerable<object> IValueWithReferences.References => [Resource];

    private EndpointAnnotation? Find() => _annotation ??= Resource.Annotations.OfType<EndpointAnnotation>()
        .FirstOrDefault(e => string.Equals(e.Name, EndpointName, StringComparison.OrdinalIgnoreCase));

    private AllocatedEndpoint? Allocated() => Find()?.AllAllocatedEndpoints.Find(ContextNetworkID ?? KnownNetworkIdentifiers.LocalhostNetwork);

    private AllocatedEndpoint AllocatedOrThrow() => Allocated() ??
        throw new InvalidOperationException($"Endpoint '{EndpointAnnotation.Name}' of resource '{Resource.Name}' has no address yet.");

    private string KnownEndpoints()
    {
        var names = string.Join(", ", Resource.Annotations.OfType<EndpointAnnotation>().Select(e => $"'{e.Name}'"));
        return names.Length == 0 ? "none" : names;
    }
}

/// <summary>One part of an endpoint's address as a value.</summary>
public class EndpointReferenceExpression(EndpointReference endpointReference, EndpointProperty property) : IExpressionValue, IValueWithReferences
{
    public EndpointReference Endpoint { get; } = endpointReference;
    public EndpointProperty Property { get; } = property;

    public string ValueExpression => Property switch
    {
        EndpointProperty.Host or EndpointProperty.IPV4Host => Binding("host"),
        EndpointProperty.HostAndPort => $"{Binding("host")}:{Binding("port")}",
        EndpointProperty.TargetPort => Binding("targetPort"),
        EndpointProperty.TlsEnabled => Binding("tlsEnabled"),
        _ => Binding(Property.ToString().ToLowerInvariant()),
    };

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => GetValueAsync(new ValueProviderContext(), cancellationToken);

    public async ValueTask<string?> GetValueAsync(ValueProviderContext context, CancellationToken cancellationToken = default)
    {
        var network = Endpoint.ContextNetworkID ?? context.EffectiveNetwork;
        switch (Property)
        {
            case EndpointProperty.Scheme: return Endpoint.Scheme;
            case EndpointProperty.TlsEnabled: return Endpoint.TlsEnabled.ToString();
            case EndpointProperty.IPV4Host when network == KnownNetworkIdentifiers.LocalhostNetwork: return "127.0.0.1";
            case EndpointProperty.TargetPort when Endpoint.TargetPort is { } targetPort: return targetPort.ToString();
        }
        var address = await Endpoint.EndpointAnnotation.AllAllocatedEndpoints.GetAllocatedEndpointAsync(network, cancellationToken);
        return Property switch
        {
            EndpointProperty.Url => address.UriString,
            EndpointProperty.Host or EndpointProperty.IPV4Host => address.Address,
            EndpointProperty.Port => address.Port.ToString(),
            EndpointProperty.HostAndPort => address.EndPointString,
            EndpointProperty.TargetPort => address.TargetPortExpression
                ?? throw new InvalidOperationException($"The target port of endpoint '{Endpoint.EndpointName}' of resource '{Endpoint.Resource.Name}' is chosen per replica and has no single value."),
            _ => throw new UnreachableException(),
        };
    }

    IEnumerable<object> IValueWithReferences.References => [Endpoint];

    private string Binding(string part) => $"{{{Endpoint.Resource.Name}.bindings.{Endpoint.EndpointName}.{part}}}";
}
