namespace OpenPlatform.Contracts;

/// <summary>
/// What a gateway asks of the catalog. Every call carries <c>Authorization: Bearer &lt;service token&gt;</c>, and the catalog answers
/// 404 to any that came through a proxy (<c>Via</c>, <c>Forwarded</c> or <c>X-Forwarded-*</c> present), so nothing a gateway
/// forwards can reach it.
/// </summary>
public static class InternalApi
{
    /// <summary>GET: the active snapshot in one piece, as JSON, for gateways that do not follow <see cref="ConfigPath"/>; <c>ETag: "revision"</c>, <c>If-None-Match</c> gives 304.</summary>
    public const string SnapshotPath = "/internal/v1/snapshot";

    /// <summary>POST a <see cref="Snapshots.Shards.ConfigHave"/>: the stream of shards, see <see cref="Snapshots.Shards.ConfigDelta"/>. GET: the number of
    /// the active revision as text.</summary>
    public const string ConfigPath = "/internal/v1/config";

    /// <summary>POST a <see cref="Snapshots.Shards.ConfigAck"/>: 204.</summary>
    public const string AckPath = "/internal/v1/config/acks";

    /// <summary>POST an <see cref="InstanceReport"/>: 204.</summary>
    public const string InstancesPath = "/internal/v1/instances";

    /// <summary>POST a <see cref="Usage.UsageBatch"/>: 200 with a <see cref="Usage.UsageReceipt"/>.</summary>
    public const string UsagePath = "/internal/v1/usage";

    /// <summary>POST a <see cref="Usage.UsedUnitsRequest"/>: 200 with <see cref="Usage.UsedUnits"/>. What quotas are measured by.</summary>
    public const string UsedUnitsPath = "/internal/v1/usage/used";

    /// <summary>POST a <see cref="Usage.CredentialUseReport"/>: 204.</summary>
    public const string CredentialUsesPath = "/internal/v1/credentials/uses";

    /// <summary>Redis channel on which the catalog publishes the number of a new revision; only a hint to ask now.</summary>
    public const string RevisionChannel = "openplatform:revision";
}
