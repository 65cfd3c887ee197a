using System.Text;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Tests.Contracts;

namespace OpenPlatform.Tests.Propagation;

public sealed class ConfigReaderTests
{
    private const string Token = "service-token-of-tests";

    private static readonly string Changed = ShardName.Plans(ShardName.SegmentOf(TestSnapshots.Right().Plans[0].PlanId));
    private static readonly byte[] Right = Steps();

    [Fact]
    public async Task Steps_are_read_in_order_wherever_their_bytes_are_cut()
    {
        using var thread = new BackgroundThread("test");
        foreach (var size in (int[])[1, 7, 100, 1 << 16])
        {
            var reader = new ConfigReader(new Slow(Right, size), ShardHashes.Empty, new ManifestSigner(Token), thread);
            var first = (await reader.ReadAsync(default))!.Value;
            Assert.Equal((1, first.Manifest.Shards.Count), (first.Manifest.Revision, first.Shards.Count));
            Assert.Null(await reader.ReadAsync(default)); // a heartbeat
            var second = (await reader.ReadAsync(default))!.Value;
            Assert.Equal((2L, Changed), (second.Manifest.Revision, Assert.Single(second.Shards).Name));
            await Assert.ThrowsAsync<EndOfStreamException>(() => reader.ReadAsync(default));
        }
    }

    [Fact]
    public async Task Whatever_a_stranger_sends_is_refused_or_is_exactly_what_was_signed()
    {
        using var thread = new BackgroundThread("test");
        var random = new Random(42);
        for (var i = 0; i < 3_000; i++)
        {
            var bytes = (byte[])Right.Clone();
            for (var changes = random.Next(1, 4); changes > 0; changes--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            var cut = random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length;
            var reader = new ConfigReader(new Slow(bytes[..cut], 1 << 16), ShardHashes.Empty, new ManifestSigner(Token), thread);
            try
            {
                while (true)
                {
                    if (await reader.ReadAsync(default) is var (manifest, shards))
                    {
                        Assert.All(shards, static shard => Assert.Equal(shard.Hash, SnapshotShards.HashOf(shard.Content)));
                        Assert.Equal(Original(manifest.Revision), manifest.Shards.OrderBy(static shard => shard.Key, StringComparer.Ordinal));
                    }
                }
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                // As it should be.
            }
        }
    }

    [Fact]
    public void A_shard_name_is_what_it_was_made_of_and_nothing_else_is_one()
    {
        var id = Guid.NewGuid();
        foreach (var name in (string[])[ShardName.Core, ShardName.Api(id), ShardName.Applications(0), ShardName.Applications(255), ShardName.Credentials(10), ShardName.Backends(1), ShardName.Plans(254)])
        {
            Assert.True(ShardName.TryParse(name, out _, out _, out _), name);
        }

        foreach (var name in (string[])["", "Core", "api/", $"api/{id:N}", $"api/{id.ToString().ToUpperInvariant()}x", "applications/", "applications/100", "applications/A0", "credentials/0", "credentials/-1", "other/00", "plans/1", "backends/100"])
        {
            Assert.False(ShardName.TryParse(name, out _, out _, out _), name);
        }
    }

    [Fact]
    public void The_parts_of_a_snapshot_are_the_whole()
    {
        var whole = TestSnapshots.Right();
        var parts = SnapshotShards.Split(whole);
        Assert.Equal(SnapshotShards.Serialize(whole), SnapshotShards.Serialize(SnapshotShards.Join(whole.Revision, whole.CreatedAt, [.. parts.Values])));
    }

    private static IEnumerable<KeyValuePair<string, string>> Original(long revision) => SnapshotShards.Split(Whole(revision))
        .Select(static shard => KeyValuePair.Create(shard.Key, SnapshotShards.HashOf(SnapshotShards.Serialize(shard.Value))));

    private static Snapshot Whole(long revision) => revision == 1 ? TestSnapshots.Right() : TestSnapshots.Right() with { Plans = [TestSnapshots.Right().Plans[0] with { Name = "renamed" }, .. TestSnapshots.Right().Plans.Skip(1)] };

    private static byte[] Steps()
    {
        var first = SnapshotShards.Split(Whole(1)).ToDictionary(static shard => shard.Key, static shard => SnapshotShards.Serialize(shard.Value));
        var second = SnapshotShards.Split(Whole(2)).ToDictionary(static shard => shard.Key, static shard => SnapshotShards.Serialize(shard.Value));
        return [.. ShardFeed.Step(1, first, [], first, Token), .. Encoding.UTF8.GetBytes("\n"), .. ShardFeed.Step(2, new() { [Changed] = second[Changed] }, [], second, Token)];
    }

    private sealed class Slow(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, size)], cancellationToken);
    }
}
