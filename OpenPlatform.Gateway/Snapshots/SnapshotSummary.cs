using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>What a snapshot holds, without what it holds.</summary>
/// <param name="Hash">SHA-256 over its shards, hexadecimal: the same on every gateway that runs the same.</param>
/// <param name="Refused">Shards of the newest revision that are not in force, and why.</param>
internal sealed record SnapshotSummary(
    long Revision, DateTimeOffset CreatedAt, DateTimeOffset AppliedAt, string Hash, int Apis, int Operations, int Backends, int Plans, int Applications, int Credentials,
    int Subscriptions, IReadOnlyList<RefusedShard> Refused)
{
    public static SnapshotSummary Of(GatewaySnapshot snapshot, IReadOnlyList<RefusedShard> refused) => new(
        snapshot.Revision, snapshot.CreatedAt, snapshot.AppliedAt,
        Convert.ToHexStringLower(new ConfigManifest(snapshot.Revision, snapshot.CreatedAt, snapshot.Shards).Sha256()),
        snapshot.Apis.Count, snapshot.Apis.Values.Sum(static api => api.Routes.Operations), snapshot.Core.Backends.Count, snapshot.Core.Plans.Count,
        snapshot.Applications.Sum(static segment => segment.Count), snapshot.Credentials.Sum(static segment => segment.Keys.Count),
        snapshot.Applications.Sum(static segment => segment.Values.Sum(static application => application.Subscriptions.Length)), refused);
}
