using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authorization;
using OpenPlatform.Gateway.Degradation;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Lifecycle;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Mocks;
using OpenPlatform.Gateway.Protection;
using OpenPlatform.Gateway.Protection.Addresses;
using OpenPlatform.Gateway.Protection.Bodies;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Gateway.Splits;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>One API version as the request path sees it.</summary>
/// <param name="Backend">Lives longer than a snapshot: its instances and their state are shared by all snapshots.</param>
internal sealed record ApiEntry(Guid VersionId, string Name, string Version, string BasePath, BackendState Backend)
{
    /// <summary>Of this version, beside those of the plan.</summary>
    public IReadOnlyList<RateLimitModel> Limits { get; init; } = [];

    public SplitModel? Split { get; init; }

    public CachePolicy? Cache { get; init; }

    public DegradationModel? Degradation { get; init; }

    /// <summary>Null: published, and not blocked.</summary>
    public LifecycleEntry? Lifecycle { get; init; }

    /// <summary>CORS and headers; null: neither.</summary>
    public ProtectionModel? Protection { get; init; }

    /// <summary>Where it may be called from; null: anywhere.</summary>
    public AddressRule? Addresses { get; init; }
}

/// <summary>One operation of an API version.</summary>
/// <param name="RouteText">For traces: <c>/orders/v1/orders/{id}</c>.</param>
internal sealed record OperationEntry(ApiEntry Api, string OperationId, string Method, string RouteText)
{
    /// <summary>Null: those of plan and version only.</summary>
    public OwnLimits? OwnLimits { get; init; }

    /// <summary>Units that one request takes from each limit.</summary>
    public int Cost { get; init; } = 1;

    /// <summary>Timeouts, retries, breaker, bulkhead.</summary>
    public required ForwardModel Forward { get; init; }

    /// <summary>What its request body must be; null: anything.</summary>
    public BodyModel? Body { get; init; }

    /// <summary>What a caller needs; null: the subscription alone.</summary>
    public ScopeRule? Scopes { get; init; }

    /// <summary>What answers in place of the backend; null: the backend does.</summary>
    public MockModel? Mock { get; init; }
}

/// <summary>One application and what it may call.</summary>
/// <param name="Subscriptions">Ordered by version.</param>
internal sealed record ApplicationEntry(Guid ApplicationId, bool Suspended, SubscriptionEntry[] Subscriptions)
{
    /// <summary>So few are looked through from one end to the other.</summary>
    private const int Few = 8;

    /// <summary>Where it may call from; null: anywhere.</summary>
    public AddressRule? Addresses { get; init; }

    /// <summary>Its subscription to a version, or null. Allocates nothing.</summary>
    public SubscriptionEntry? Find(Guid versionId)
    {
        var (low, high) = (0, Subscriptions.Length);
        while (high - low > Few)
        {
            var middle = (low + high) / 2;
            (low, high) = Subscriptions[middle].VersionId.CompareTo(versionId) <= 0 ? (middle, high) : (low, middle);
        }

        for (var i = low; i < high; i++)
        {
            if (Subscriptions[i].VersionId == versionId)
            {
                return Subscriptions[i];
            }
        }

        return null;
    }
}

/// <summary>One key.</summary>
/// <param name="ApplicationId">The application is looked up for each request: it changes on its own.</param>
/// <param name="ExpiresAtTicks">UTC ticks of the first instant at which it no longer counts; <see cref="long.MaxValue"/>: never.</param>
internal sealed record CredentialEntry(Guid CredentialId, Guid ApplicationId, long ExpiresAtTicks) : FoundCredential(CredentialId);

/// <summary>One plan.</summary>
internal sealed record PlanEntry(Guid PlanId, IReadOnlyList<RateLimitModel> Limits, IReadOnlyList<QuotaModel> Quotas)
{
    /// <summary>0 (shed first) to 9.</summary>
    public int Priority { get; init; } = 5;

    /// <summary>What its applications may identify themselves with.</summary>
    public CredentialScheme Schemes { get; init; } = CredentialScheme.ApiKey;

    /// <summary>The same for who used something else.</summary>
    public StringValues Challenge { get; init; }

    /// <summary>What its applications may do where scopes are asked for; null: it says nothing of scopes.</summary>
    public FrozenSet<string>? Scopes { get; init; }

    /// <summary>A signed request counts once over all gateways.</summary>
    public bool ReplayCheck { get; init; }
}

/// <summary>An application's right to a version. Named by id: versions change on their own.</summary>
internal sealed record SubscriptionEntry(Guid SubscriptionId, Guid ApplicationId, Guid VersionId, PlanEntry Plan)
{
    /// <summary>The limiters of plan and version; looked up at the first request, because most never come.</summary>
    public LimitSet? Limits { get; set; }
}
