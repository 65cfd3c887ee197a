using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Tests.Propagation;

/// <summary>What revisions share with each other is what they would have by themselves.</summary>
public sealed class ShardHashesTests
{
    private const string Token = "token-of-the-tests";

    [Fact]
    public void Whatever_changes_it_is_what_a_dictionary_would_be_and_is_signed_as_one()
    {
        var random = new Random(1);
        var expected = new Dictionary<string, string>(StringComparer.Ordinal);
        var hashes = ShardHashes.Empty;
        var signer = new ManifestSigner(Token);
        for (var step = 0; step < 300; step++)
        {
            var (before, old) = (hashes, new Dictionary<string, string>(expected, StringComparer.Ordinal));
            var changes = new Dictionary<string, string?>(StringComparer.Ordinal);
            for (var i = random.Next(4); i >= 0; i--)
            {
                // Mixed case and prefixes of each other: in ordinal order they are elsewhere than in any other.
                changes[$"{(random.Next(2) == 0 ? "plans" : "Plans")}/{random.Next(20):x}"] = random.Next(4) == 0 ? null : $"{random.Next(3):x64}";
            }

            foreach (var (name, hash) in changes)
            {
                expected.Remove(name);
                if (hash is not null)
                {
                    expected[name] = hash;
                }
            }

            hashes = before.With(changes, random.Next(2) == 0 ? ShardHashes.Of(expected) : null);
            Assert.Equal(expected.OrderBy(static shard => shard.Key, StringComparer.Ordinal), hashes);
            Assert.Equal(expected.Count, hashes.Count);
            Assert.All(expected, shard => Assert.Equal(shard.Value, hashes[shard.Key]));
            Assert.Equal(expected.Except(old).OrderBy(static shard => shard.Key, StringComparer.Ordinal), hashes.ChangedSince(before));
            Assert.Equal(old.Keys.Except(expected.Keys).Order(StringComparer.Ordinal), hashes.RemovedSince(before));
            Assert.Equal(old.OrderBy(static shard => shard.Key, StringComparer.Ordinal), before); // immutable
            Assert.True(signer.Verify(new(step, DateTimeOffset.UnixEpoch, hashes), signer.Sign(new(step, DateTimeOffset.UnixEpoch, ShardHashes.Of(expected)))));
        }
    }

    [Fact]
    public void Another_content_under_the_same_names_costs_no_more_than_the_references()
    {
        var shards = ShardHashes.Of(Enumerable.Range(0, 4_000).Select(static i => KeyValuePair.Create($"shard/{i}", "hash")));
        Dictionary<string, string?> change = new(StringComparer.Ordinal) { ["shard/17"] = "another" };
        shards.With(change);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var next = shards.With(change);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, (4_000 * IntPtr.Size) + 500);
        Assert.Same(shards.Keys, next.Keys);
        Assert.Same(next.Keys, ShardHashes.Of([.. next]).With(new Dictionary<string, string?> { ["shard/x"] = "x" }).With(new Dictionary<string, string?> { ["shard/x"] = null }, next).Keys);
    }

    [Fact]
    public void What_parts_hold_is_found_wherever_it_stands()
    {
        var ids = Enumerable.Range(0, 600).Select(static _ => Guid.CreateVersion7()).ToArray();
        var map = new PartMap<string>(ShardKind.Plans);
        map = map.With(ids.GroupBy(ShardName.SegmentOf).Select(static group => Part(ShardName.Plans(group.Key), [.. group.Select(static id => (id, "segment"))])));
        Assert.Equal(600, map.Count);
        Assert.Equal(ids.Order(), map.Keys.Order());
        Assert.All(ids, id => Assert.Equal("segment", map[id]));

        // A catalog of before says all in the core, which goes before; and what is in a foreign segment is found, too.
        var elsewhere = ShardName.Plans(ShardName.SegmentOf(ids[1]) ^ 1);
        var stray = Guid.CreateVersion7();
        map = map.With([Part(ShardName.Core, (ids[0], "core")), Part(ShardName.Backends(3)), Part(elsewhere, (ids[1], "stray"), (stray, "stray"))]);
        Assert.Equal(("core", "stray", "stray"), (map[ids[0]], map[ids[1]], map[stray]));
        Assert.Equal(map.Keys.Distinct().Count(), map.Count);

        map = map.With([Part(ShardName.Core), Part(elsewhere)]);
        Assert.Equal(("segment", "segment"), (map[ids[0]], map[ids[1]]));
        Assert.False(map.ContainsKey(stray));
        Assert.Same(map, map.With([Part(ShardName.Core), Part(ShardName.Backends(3))]));

        static KeyValuePair<string, IReadOnlyList<KeyValuePair<Guid, string>>> Part(string shard, params (Guid Id, string Item)[] items) =>
            new(shard, [.. items.Select(static item => KeyValuePair.Create(item.Id, item.Item))]);
    }
}
