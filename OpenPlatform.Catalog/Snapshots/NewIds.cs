using System.Runtime.InteropServices;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>Ids of what comes into being together.</summary>
internal static class NewIds
{
    // A shard is written whole. A thousand ids by chance would be in all 256 segments, and the write would cost what the catalog holds, not what it adds.
    private const int EachSegment = 32;

    /// <summary>UUIDs of version 7, in as few segments as keep those alike in size: one for every 32 ids, which ones by chance.</summary>
    public static Guid[] Of(int count, DateTimeOffset now)
    {
        var segments = Enumerable.Range(0, ShardName.Segments).ToArray();
        Random.Shared.Shuffle(segments);
        var used = Math.Clamp((count + EachSegment - 1) / EachSegment, 1, ShardName.Segments);
        var ids = new Guid[count];
        for (var i = 0; i < count; i++)
        {
            var id = Guid.CreateVersion7(now);
            MemoryMarshal.AsBytes(new Span<Guid>(ref id))[15] = (byte)segments[i % used];
            ids[i] = id;
        }

        return ids;
    }
}
