using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>Makes providers for the names it knows. The factories are asked in the order of their registration, pass-through last.</summary>
public interface IServiceEndpointProviderFactory
{
    bool TryCreateProvider(ServiceEndpointQuery query, [NotNullWhen(true)] out IServiceEndpointProvider? provider);
}

/// <summary>Finds the endpoints of one service.</summary>
public interface IServiceEndpointProvider : IAsyncDisposable
{
    /// <summary>Adds what it finds, and a token that fires when it should be asked again. By convention adds nothing when an earlier
    /// provider has added something.</summary>
    ValueTask PopulateAsync(IServiceEndpointBuilder endpoints, CancellationToken cancellationToken);
}

/// <summary>What the providers of one service fill together.</summary>
public interface IServiceEndpointBuilder
{
    IList<ServiceEndpoint> Endpoints { get; }

    IFeatureCollection Features { get; }

    void AddChangeToken(IChangeToken changeToken);
}

/// <summary>The name to send as Host where the endpoint's own address is not meant.</summary>
public interface IHostNameFeature
{
    string HostName { get; }
}

/// <summary>Settings of service discovery.</summary>
public sealed class ServiceDiscoveryOptions
{
    /// <summary>Whether any scheme may be asked for; otherwise only <see cref="AllowedSchemes"/>. Default true.</summary>
    public bool AllowAllSchemes { get; set; } = true;

    /// <summary>Time between two looks at providers that cannot announce changes. Default 60 s.</summary>
    public TimeSpan RefreshPeriod { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Schemes that may be used when <see cref="AllowAllSchemes"/> is false.</summary>
    public IList<string> AllowedSchemes { get; set; } = [];

    /// <summary>The requested schemes that are allowed; the allowed ones when none is requested.</summary>
    public IReadOnlyList<string> ApplyAllowedSchemes(IReadOnlyList<string> requestedSchemes)
    {
        ArgumentNullException.ThrowIfNull(requestedSchemes);
        return requestedSchemes.Count == 0 ? [.. AllowedSchemes]
            : AllowAllSchemes ? requestedSchemes
            : [.. requestedSchemes.Where(scheme => AllowedSchemes.Contains(scheme, StringComparer.OrdinalIgnoreCase))];
    }
}
