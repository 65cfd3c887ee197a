using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Gateway.State;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Propagation;

/// <summary>What a gateway does with what comes over the stream.</summary>
public sealed class RefusedShardTests : IAsyncLifetime
{
    private readonly string _state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
    private TestBackend _backend = null!;
    private ShardFeed _feed = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static string Orders => ShardName.Api(TestSnapshot.VersionId);

    private static string Plan => ShardName.Plans(ShardName.SegmentOf(TestSnapshot.PlanId));

    private static string Subscriber => ShardName.Applications(ShardName.SegmentOf(TestSnapshot.Subscriber));

    public async ValueTask InitializeAsync()
    {
        _backend = await TestBackend.StartAsync();
        _feed = await ShardFeed.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _feed.DisposeAsync();
        await _backend.DisposeAsync();
        Directory.Delete(_state, recursive: true);
    }

    [Fact]
    public async Task A_refused_shard_keeps_what_was_there_and_the_others_move_on()
    {
        await using var gateway = await StartAsync();
        var first = First();
        _feed.Publish(1, SnapshotShards.Split(first));
        await UntilAsync(gateway, 1);
        using var client = gateway.Client();
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));

        // A version that names a backend nobody knows, and in the same revision another one that is right, and a key less.
        var broken = Snapshot.Empty with { Apis = [first.Apis[0] with { Revision = 2, BackendId = Guid.NewGuid(), Operations = [] }] };
        var other = Snapshot.Empty with { Apis = [first.Apis[1] with { Revision = 2, Operations = [new("news", "GET", "/v2/news")] }] };
        var revoked = ShardName.Credentials(ShardName.SegmentOf(TestSnapshot.Hash(TestSnapshot.StrangerKey)));
        _feed.Publish(2, [new(Orders, broken), new(ShardName.Api(first.Apis[1].VersionId), other)], removed: [revoked]);
        await UntilAsync(gateway, 2);

        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        Assert.NotNull(gateway.Snapshot.Current!.Routes.Find("/orders/v2/news", "GET", out _));
        Assert.Null(gateway.Snapshot.Current!.FindCredential(OpenPlatform.Gateway.Authentication.KeyDigest.Read(TestSnapshot.Hash(TestSnapshot.StrangerKey))));
        var refused = Assert.Single(gateway.Snapshot.Refused);
        Assert.Equal(Orders, refused.Shard);
        Assert.Contains("/apis/0/backendId", refused.Reason, StringComparison.Ordinal);
        await Eventually.TrueAsync(() => _feed.Acks.Any(static ack => ack.Revision == 2 && ack.Refused is [{ } one] && one.Shard == Orders));

        // The backend arrives: the shard that was refused is in force without being sent again.
        _feed.Publish(3, [new(ShardName.Backends(ShardName.SegmentOf(broken.Apis[0].BackendId)), Snapshot.Empty with { Backends = [first.Backends[0] with { BackendId = broken.Apis[0].BackendId, Name = "late" }] })]);
        await UntilAsync(gateway, 3);
        Assert.Empty(gateway.Snapshot.Refused);
        using var gone = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }

    [Fact]
    public async Task Two_versions_never_share_a_base_path_whichever_shard_was_refused()
    {
        await using var gateway = await StartAsync();
        var first = First();
        _feed.Publish(1, SnapshotShards.Split(first));
        await UntilAsync(gateway, 1);

        // Each takes the other's base path, and the one is refused for another reason: the other must stay where it was, too.
        var (one, two) = (first.Apis[0] with { BasePath = first.Apis[1].BasePath, Operations = [new("a", "NONSENSE", "/a")] }, first.Apis[1] with { BasePath = first.Apis[0].BasePath });
        _feed.Publish(2, [new(Orders, Snapshot.Empty with { Apis = [one] }), new(ShardName.Api(two.VersionId), Snapshot.Empty with { Apis = [two] })]);
        await UntilAsync(gateway, 2);

        Assert.Equal(2, gateway.Snapshot.Refused.Count);
        Assert.Equal(TestSnapshot.VersionId, gateway.Snapshot.Current!.Routes.Find("/orders/v1/orders", "GET", out _)!.Api.VersionId);
        Assert.Equal(two.VersionId, gateway.Snapshot.Current.Routes.Find("/orders/v2/plain", "GET", out _)!.Api.VersionId);
    }

    [Fact]
    public async Task What_is_not_signed_by_the_deployment_or_was_changed_on_the_way_is_not_applied()
    {
        await using var gateway = await StartAsync();
        var first = First();
        _feed.Publish(1, SnapshotShards.Split(first));
        await UntilAsync(gateway, 1);
        var changed = new KeyValuePair<string, Snapshot>(Subscriber, Snapshot.Empty with { Applications = [first.Applications[0] with { Suspended = true }] });

        _feed.Publish(2, [changed], token: "the token of somebody else");
        await Eventually.TrueAsync(() => _feed.Begun.Count == 2); // it left that stream
        _feed.Publish(3, [changed], damage: static step => [.. step[..^30], .. step[^30..].Select(static b => b == (byte)'}' ? (byte)' ' : b)]);
        await Eventually.TrueAsync(() => _feed.Begun.Count == 3);

        Assert.Equal(1, gateway.Snapshot.Current!.Revision);
        Assert.Empty(_feed.Begun.Last().Shards.Keys.Except(gateway.Snapshot.Current.Shards.Keys));
        _feed.Publish(4, [changed]);
        await UntilAsync(gateway, 4);
        Assert.True(gateway.Snapshot.Current!.FindApplication(TestSnapshot.Subscriber)!.Suspended);
    }

    [Fact]
    public async Task A_stream_that_ends_is_begun_again_with_what_is_there()
    {
        await using var gateway = await StartAsync();
        _feed.Publish(1, SnapshotShards.Split(First()));
        await UntilAsync(gateway, 1);
        _feed.Cut();
        await Eventually.TrueAsync(() => _feed.Begun.Count == 2);
        Assert.Equal(gateway.Snapshot.Current!.Shards.OrderBy(static shard => shard.Key), _feed.Begun.Last().Shards.OrderBy(static shard => shard.Key));
    }

    [Fact]
    public async Task What_did_not_change_is_the_same_object_in_the_next_snapshot()
    {
        await using var gateway = await StartAsync();
        var first = First();
        _feed.Publish(1, SnapshotShards.Split(first));
        await UntilAsync(gateway, 1);
        var before = gateway.Snapshot.Current!;

        var changed = ShardName.Api(first.Apis[1].VersionId);
        _feed.Publish(2, [new(changed, Snapshot.Empty with { Apis = [first.Apis[1] with { Revision = 2 }] })]);
        await UntilAsync(gateway, 2);
        var after = gateway.Snapshot.Current!;

        Assert.Same(before.Apis[TestSnapshot.VersionId], after.Apis[TestSnapshot.VersionId]);
        Assert.NotSame(before.Apis[first.Apis[1].VersionId], after.Apis[first.Apis[1].VersionId]);
        Assert.Same(before.Credentials, after.Credentials);
        Assert.Same(before.Applications, after.Applications);
        Assert.Same(before.Core, after.Core);

        // A plan with another limit: only the applications under it are made anew, and they have it.
        _feed.Publish(3, [new(Plan, Snapshot.Empty with { Plans = [first.Plans[0] with { RateLimits = [new(7, 60)] }] })]);
        await UntilAsync(gateway, 3);
        Assert.Equal(7, gateway.Snapshot.Current!.FindApplication(TestSnapshot.Subscriber)!.Find(TestSnapshot.VersionId)!.Plan.Limits.Single().Requests);
        Assert.Same(after.Credentials, gateway.Snapshot.Current.Credentials);
        Assert.Same(after.Apis, gateway.Snapshot.Current.Apis);
    }

    /// <summary>A segment holds hundreds of partners: those that are as they were leave nothing to collect, and keep the limiters of their subscriptions.</summary>
    [Fact]
    public async Task A_partner_that_changes_leaves_those_of_its_segment_the_objects_they_were()
    {
        await using var gateway = await StartAsync();
        var first = First();
        var (application, credential, subscription) = (first.Applications[0], first.Credentials[0], first.Subscriptions[0]);
        var neighbour = application with { ApplicationId = Guid.Parse("c0000000-0000-0000-0000-000000000005"), Name = "neighbour" };
        byte[] hash = [credential.Hash.Span[0], .. new byte[KeyHash.Size - 1]]; // in the same segment
        var theirs = credential with { CredentialId = Guid.NewGuid(), ApplicationId = neighbour.ApplicationId, Hash = hash };
        var keys = ShardName.Credentials(ShardName.SegmentOf(hash));
        _feed.Publish(1, SnapshotShards.Split(first with
        {
            Applications = [.. first.Applications, neighbour], Credentials = [.. first.Credentials, theirs],
            Plans = [.. first.Plans, first.Plans[0] with { PlanId = Guid.Parse("d0000000-0000-0000-0000-000000000003"), Name = "other" }],
        }));
        await UntilAsync(gateway, 1);
        var (entry, key, other) = (Application(), Key(), Neighbour());

        _feed.Publish(2, [new(Subscriber, Of(application, neighbour with { Suspended = true }, subscription)), new(keys, Keys(credential))]);
        await UntilAsync(gateway, 2);
        Assert.Same(entry, Application());
        Assert.Same(key, Key());
        Assert.True(Neighbour().Suspended);
        Assert.NotSame(other, Neighbour());
        Assert.Null(gateway.Snapshot.Current!.FindCredential(OpenPlatform.Gateway.Authentication.KeyDigest.Read(hash)));

        // What is another now is another object: the key's end, and each thing of an application in turn.
        _feed.Publish(3, [new(keys, Keys(credential with { ExpiresAt = TestSnapshot.Expiry }))]);
        await UntilAsync(gateway, 3);
        Assert.Equal(TestSnapshot.Expiry.UtcTicks, Key().ExpiresAtTicks);
        var revision = 3;
        Assert.True((await ChangedAsync(application with { Suspended = true }, subscription)).Suspended);
        Assert.NotNull((await ChangedAsync(application with { Addresses = new() { Allow = ["10.0.0.0/8"] } }, subscription)).Addresses);
        Assert.Null((await ChangedAsync(application, subscription)).Addresses);
        Assert.Equal(first.Apis[1].VersionId, (await ChangedAsync(application, subscription with { VersionId = first.Apis[1].VersionId })).Subscriptions.Single().VersionId);
        var planned = await ChangedAsync(application, subscription with { VersionId = first.Apis[1].VersionId, PlanId = Guid.Parse("d0000000-0000-0000-0000-000000000003") });
        Assert.Equal("d0000000-0000-0000-0000-000000000003", planned.Subscriptions.Single().Plan.PlanId.ToString());
        var id = Guid.NewGuid();
        Assert.Equal(id, (await ChangedAsync(application, subscription with { SubscriptionId = id })).Subscriptions.Single().SubscriptionId);
        Assert.Empty((await ChangedAsync(application)).Subscriptions);

        async Task<ApplicationEntry> ChangedAsync(ApplicationModel model, params SubscriptionModel[] subscriptions)
        {
            var before = Application();
            _feed.Publish(++revision, [new(Subscriber, Of(model, neighbour, subscriptions))]);
            await UntilAsync(gateway, revision);
            Assert.NotSame(before, Application());
            return Application();
        }

        static Snapshot Of(ApplicationModel one, ApplicationModel two, params SubscriptionModel[] subscriptions) => Snapshot.Empty with { Applications = [one, two], Subscriptions = subscriptions };

        static Snapshot Keys(params CredentialModel[] credentials) => Snapshot.Empty with { Credentials = credentials };

        ApplicationEntry Application() => gateway.Snapshot.Current!.FindApplication(TestSnapshot.Subscriber)!;

        ApplicationEntry Neighbour() => gateway.Snapshot.Current!.FindApplication(neighbour.ApplicationId)!;

        CredentialEntry Key() => gateway.Snapshot.Current!.FindCredential(OpenPlatform.Gateway.Authentication.KeyDigest.Read(credential.Hash.Span))!;
    }

    /// <summary>They ask the registry and read files for it: not for every plan that changes.</summary>
    [Fact]
    public async Task Who_looks_after_backends_hears_of_changes_to_them_and_of_no_others()
    {
        await using var gateway = await StartAsync();
        var (all, ofBackends) = (0, 0);
        gateway.Snapshot.Applied += () => Interlocked.Increment(ref all);
        gateway.Snapshot.BackendsApplied += () => Interlocked.Increment(ref ofBackends);
        var first = First();
        _feed.Publish(1, SnapshotShards.Split(first));
        await Eventually.TrueAsync(() => Volatile.Read(ref all) == 1);
        _feed.Publish(2, [new(Plan, Snapshot.Empty with { Plans = [first.Plans[0] with { RateLimits = [new(7, 60)] }] })]);
        await Eventually.TrueAsync(() => Volatile.Read(ref all) == 2);
        Assert.Equal(1, Volatile.Read(ref ofBackends));

        var backend = first.Backends[0] with { Service = "another" };
        _feed.Publish(3, [new(ShardName.Backends(ShardName.SegmentOf(backend.BackendId)), Snapshot.Empty with { Backends = [backend] })]);
        await Eventually.TrueAsync(() => Volatile.Read(ref all) == 3);
        Assert.Equal(2, Volatile.Read(ref ofBackends));
    }

    [Fact]
    public async Task What_a_catalog_of_before_says_in_its_one_core_goes_before_the_segments()
    {
        await using var gateway = await StartAsync();
        var first = First();
        _feed.Publish(1, SnapshotShards.Split(first));
        await UntilAsync(gateway, 1);

        // A replica that was not replaced yet writes all backends and plans in one shard, and leaves the segments as they are.
        _feed.Publish(2, [new(ShardName.Core, Snapshot.Empty with { Backends = first.Backends, Plans = [first.Plans[0] with { RateLimits = [new(7, 60)] }, .. first.Plans.Skip(1)] })]);
        await UntilAsync(gateway, 2);
        Assert.Empty(gateway.Snapshot.Refused);
        Assert.Equal(7, Limit());

        // The next one to write is new again.
        _feed.Publish(3, [new(ShardName.Core, Snapshot.Empty), new(Plan, Snapshot.Empty with { Plans = [first.Plans[0] with { RateLimits = [new(8, 60)] }] })]);
        await UntilAsync(gateway, 3);
        Assert.Equal(8, Limit());
        using var client = gateway.Client();
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));

        long Limit() => gateway.Snapshot.Current!.FindApplication(TestSnapshot.Subscriber)!.Find(TestSnapshot.VersionId)!.Plan.Limits.Single().Requests;
    }

    [Fact]
    public async Task It_starts_from_disk_with_everything_dead_and_not_from_a_disk_that_somebody_wrote_to()
    {
        await using (var gateway = await StartAsync())
        {
            _feed.Publish(1, SnapshotShards.Split(First()));
            await UntilAsync(gateway, 1);
            await Eventually.TrueAsync(() => File.Exists(Path.Combine(_state, ShardFiles.ManifestName)));
        }

        await using (var alone = await GatewayHost.StartAsync(catalog: null, stateDirectory: _state))
        {
            using var client = alone.Client();
            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        }

        await using var stranger = await GatewayHost.StartAsync(catalog: null, stateDirectory: _state, untilReady: false, settings: ("OpenPlatform:ServiceToken", "another-service-token"));
        Assert.Null(stranger.Snapshot.Current);
    }

    [Fact]
    public void What_was_to_be_written_before_a_snapshot_came_in_one_piece_is_not_written_after_it()
    {
        var state = new StateDirectory(new ConfigurationBuilder().AddInMemoryCollection([new("OpenPlatform:StateDirectory", _state)]).Build());
        var files = new ShardFiles(state, new ManifestSigner("token"), TimeProvider.System, NullLogger<ShardFiles>.Instance);
        var manifest = Path.Combine(_state, ShardFiles.ManifestName);

        files.Keep(new(1, DateTimeOffset.UnixEpoch, ShardHashes.Empty), []);
        var taken = files.Take()!;
        files.Forget();
        files.Write(taken);
        Assert.False(File.Exists(manifest));

        files.Keep(new(2, DateTimeOffset.UnixEpoch, ShardHashes.Empty), []);
        files.Write(files.Take()!);
        Assert.True(File.Exists(manifest));
    }

    [Fact]
    public async Task A_damaged_shard_on_disk_is_missing_and_fetched_again_the_others_serve()
    {
        await using (var gateway = await StartAsync())
        {
            _feed.Publish(1, SnapshotShards.Split(First()));
            await UntilAsync(gateway, 1);
            await Eventually.TrueAsync(() => File.Exists(Path.Combine(_state, ShardFiles.ManifestName)));
            var file = Path.Combine(_state, "shards", gateway.Snapshot.Current!.Shards[ShardName.Api(First().Apis[1].VersionId)]);
            var bytes = await File.ReadAllBytesAsync(file, Stop);
            bytes[^5] ^= 1;
            await File.WriteAllBytesAsync(file, bytes, Stop);
        }

        await using var next = await StartAsync();
        using var client = next.Client();
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        Assert.Null(next.Snapshot.Current!.Routes.Find("/orders/v2/plain", "GET", out _));
        await Eventually.TrueAsync(() => _feed.Begun.Count == 2);
        Assert.Single(next.Snapshot.Current.Shards.Keys.Append(ShardName.Api(First().Apis[1].VersionId)).Except(_feed.Begun.Last().Shards.Keys));
    }

    [Fact]
    public async Task A_thousand_changes_leave_nothing_behind()
    {
        await using var gateway = await StartAsync();
        var first = First();
        _feed.Publish(1, SnapshotShards.Split(first));
        await UntilAsync(gateway, 1);
        var other = ShardName.Api(first.Apis[1].VersionId);
        long? before = null;
        for (var revision = 2; revision <= 1_002; revision++)
        {
            _feed.Publish(revision,
            [
                new(other, Snapshot.Empty with { Apis = [first.Apis[1] with { Revision = revision }] }),
                new(Subscriber, Snapshot.Empty with { Applications = [first.Applications[0]], Subscriptions = [first.Subscriptions[0] with { SubscriptionId = Guid.NewGuid() }] }),
            ]);
            if (revision % 100 == 2)
            {
                await UntilAsync(gateway, revision);
                before ??= GC.GetTotalMemory(forceFullCollection: true);
            }
        }

        await UntilAsync(gateway, 1_002);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before!.Value, long.MinValue, 4 << 20);
        Assert.Equal(gateway.Snapshot.Current!.Shards.Count, SnapshotShards.Split(first).Count);
    }

    private Snapshot First() => TestSnapshot.Create([_backend.Address]);

    private Task<GatewayHost> StartAsync() => GatewayHost.StartAsync(
        catalog: null, stateDirectory: _state, untilReady: false, settings: ("services:catalog:http:0", _feed.Address.ToString()));

    private static Task UntilAsync(GatewayHost gateway, long revision) => Eventually.TrueAsync(() => gateway.Snapshot.Current?.Revision == revision);
}
