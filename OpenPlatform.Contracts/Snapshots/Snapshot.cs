using System.Text.Json.Serialization;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>
/// Everything a gateway needs to decide every request from memory: immutable, numbered, and checked by
/// <see cref="SnapshotValidator"/> both where it is written (catalog) and where it is applied (gateway).
/// </summary>
/// <param name="Revision">The monotonic revision number; 0 = nothing was ever published.</param>
/// <param name="CreatedAt">When the catalog wrote the revision, UTC.</param>
public sealed record Snapshot(
    long Revision,
    DateTimeOffset CreatedAt,
    IReadOnlyList<ApiModel> Apis,
    IReadOnlyList<BackendModel> Backends,
    IReadOnlyList<PlanModel> Plans,
    IReadOnlyList<ApplicationModel> Applications,
    IReadOnlyList<CredentialModel> Credentials,
    IReadOnlyList<SubscriptionModel> Subscriptions)
{
    /// <summary>A snapshot with nothing in it; never served, a starting point for tests and an empty catalog.</summary>
    public static Snapshot Empty { get; } = new(0, DateTimeOffset.UnixEpoch, [], [], [], [], [], []);

    /// <summary>Keys with which applications sign requests.</summary>
    public IReadOnlyList<SigningKeyModel>? SigningKeys { get; init; }

    /// <summary>Client certificates of applications.</summary>
    public IReadOnlyList<CertificateModel>? Certificates { get; init; }

    /// <summary>Whose access tokens count.</summary>
    public IReadOnlyList<IssuerModel>? Issuers { get; init; }
}

/// <summary>One version of one API in its published revision.</summary>
/// <param name="Name">URL-safe name of the API, for example <c>orders</c>: <c>[a-z0-9-]{1,63}</c>.</param>
/// <param name="Version">Label of the version, for example <c>v1</c>.</param>
/// <param name="VersionId">Identity that subscriptions refer to.</param>
/// <param name="Revision">Revision of this version, counted from 1.</param>
/// <param name="BasePath">What the gateway matches and strips before it forwards, for example <c>/orders/v1</c>.</param>
/// <param name="BackendId">The backend that answers.</param>
public sealed record ApiModel(
    Guid ApiId, string Name, string Version, Guid VersionId, int Revision, string BasePath, Guid BackendId,
    IReadOnlyList<OperationModel> Operations)
{
    public ApiPolicies? Policies { get; init; }

    /// <summary>Null: published.</summary>
    public LifecycleModel? Lifecycle { get; init; }

    /// <summary>Null: not blocked.</summary>
    public BlockModel? Blocked { get; init; }
}

/// <summary>One method and path template, for example <c>GET /orders/{id}</c>, relative to the base path.</summary>
/// <param name="OperationId">Stable name, unique in its API version; taken from the OpenAPI document.</param>
public sealed record OperationModel(string OperationId, string Method, string PathTemplate)
{
    public OperationPolicies? Policies { get; init; }
}

/// <summary>What an API calls.</summary>
/// <param name="Service">Name under which instances hold leases in the registry; null: only <paramref name="Addresses"/>.</param>
/// <param name="Addresses">Fixed instance addresses (absolute http or https URLs without a path); may be empty when leased.</param>
public sealed record BackendModel(
    Guid BackendId, string Name, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Service, IReadOnlyList<Uri> Addresses)
{
    public BalancingPolicy? Balancing { get; init; }

    public HealthPolicy? Health { get; init; }

    /// <summary>A further source of instances.</summary>
    public DnsModel? Dns { get; init; }

    /// <summary>What its instances speak: one of <see cref="BackendProtocol"/>; null: HTTP/1.1 at http addresses, what they offer at https ones.</summary>
    public string? Protocol { get; init; }
}

/// <summary>Limits on offer.</summary>
public sealed record PlanModel(Guid PlanId, string Name, IReadOnlyList<RateLimitModel> RateLimits)
{
    /// <summary>Who is shed last when a backend is overloaded: 0 (first) to 9 (last); null: 5.</summary>
    public int? Priority { get; init; }

    /// <summary>What its applications may identify themselves with, of <see cref="CredentialSchemes"/>; null: API keys alone.</summary>
    public IReadOnlyList<string>? Schemes { get; init; }

    /// <summary>True: a signed request is accepted once over all gateways, which costs a question to Redis per request.</summary>
    public bool? ReplayCheck { get; init; }

    public IReadOnlyList<QuotaModel>? Quotas { get; init; }

    /// <summary>What its applications may do where an operation asks for scopes; null: nothing there, save what an access token says.</summary>
    public IReadOnlyList<string>? Scopes { get; init; }
}

/// <summary>The calling program of a partner.</summary>
public sealed record ApplicationModel(Guid ApplicationId, Guid OrganizationId, string Name, bool Suspended)
{
    /// <summary>Where it may call from.</summary>
    public AddressPolicy? Addresses { get; init; }
}

/// <summary>One key of an application. The key itself is nowhere: only its peppered hash.</summary>
/// <param name="Hash">HMAC-SHA-256 of the UTF-8 key under the deployment's pepper, 32 bytes; see <see cref="KeyHash"/>.</param>
/// <param name="ExpiresAt">First instant at which it no longer counts, UTC; null: does not expire.</param>
public sealed record CredentialModel(Guid CredentialId, Guid ApplicationId, ReadOnlyMemory<byte> Hash, DateTimeOffset? ExpiresAt = null);

/// <summary>An application's right to a version under a plan. Only active ones are in a snapshot.</summary>
public sealed record SubscriptionModel(Guid SubscriptionId, Guid ApplicationId, Guid VersionId, Guid PlanId);
