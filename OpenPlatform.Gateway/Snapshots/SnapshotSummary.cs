using System.Security.Cryptography;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>What a snapshot holds, without what it holds.</summary>
/// <param name="Hash">SHA-256 of its JSON, hexadecimal: the same on every gateway that runs the same.</param>
internal sealed record SnapshotSummary(
    long Revision, DateTimeOffset CreatedAt, DateTimeOffset AppliedAt, string Hash, int Apis, int Operations, int Backends, int Plans, int Applications, int Credentials,
    int Subscriptions)
{
    public static SnapshotSummary Of(Snapshot snapshot, ReadOnlySpan<byte> json) => new(
        snapshot.Revision, snapshot.CreatedAt, DateTimeOffset.UtcNow, Convert.ToHexStringLower(SHA256.HashData(json)), snapshot.Apis.Count,
        snapshot.Apis.Sum(static api => api.Operations.Count), snapshot.Backends.Count, snapshot.Plans.Count, snapshot.Applications.Count, snapshot.Credentials.Count,
        snapshot.Subscriptions.Count);
}
