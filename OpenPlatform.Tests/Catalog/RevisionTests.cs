using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.Tests.Fixtures;
using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Tests.Catalog;

public sealed class RevisionTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task Fifty_writers_on_two_replicas_make_fifty_revisions_without_a_gap()
    {
        await using var second = new CatalogServer(fixture.ConnectionString);
        await second.ReadyAsync();
        using var admin = fixture.Catalog.Operator();
        using var other = second.Operator();
        var before = (await fixture.Catalog.SnapshotAsync()).Revision;

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(i =>
            (i % 2 == 0 ? admin : other).PostAsJsonAsync("/admin/v1/plans", new { name = $"writer-{i}" })));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Created, answer.StatusCode));
        var snapshot = await second.SnapshotAsync();
        Assert.Equal(before + 50, snapshot.Revision);
        Assert.Equal(50, snapshot.Plans.Count(plan => plan.Name.StartsWith("writer-", StringComparison.Ordinal)));
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        Assert.Equal(
            Enumerable.Range(1, (int)snapshot.Revision).Select(static number => (long)number),
            await connection.QueryAsync<long>("select revision from config_revisions order by revision"));
    }

    [Fact]
    public async Task Every_stored_shard_is_what_its_hash_says_and_valid()
    {
        using var admin = fixture.Catalog.Operator();
        foreach (var collection in ResourceTests.Collections())
        {
            await new Parts(admin).NewAsync(collection.Data);
        }

        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        var stored = (await connection.QueryAsync<(string Hash, byte[] Content)>("select encode(sha256, 'hex'), content from config_shards")).ToList();
        Assert.NotEmpty(stored);
        foreach (var (hash, content) in stored)
        {
            Assert.Equal(hash, SnapshotShards.HashOf(content));
            var shard = JsonSerializer.Deserialize(content, SnapshotJson.Default.Snapshot)!;
            Assert.Equal(content, SnapshotShards.Serialize(shard));
            Assert.Empty(SnapshotValidator.Validate(shard, new(Anything, Anything, Anything, Anything)));
        }

        static bool Anything(Guid id) => true;
    }

    [Fact]
    public async Task What_changes_nothing_for_gateways_makes_no_revision()
    {
        using var admin = fixture.Catalog.Operator();
        var application = await new Parts(admin).NewAsync("applications");
        using var suspended = await admin.ActAsync($"applications/{application}:suspend", "*");
        var before = (await fixture.Catalog.SnapshotAsync()).Revision;

        await new Parts(admin).NewAsync("organizations");
        using var again = await admin.ActAsync($"applications/{application}:suspend", "*");
        using var refused = await admin.PostAsJsonAsync("/admin/v1/plans", new { name = "NO" });

        Assert.Equal(before, (await fixture.Catalog.SnapshotAsync()).Revision);
    }

    [Fact]
    public async Task A_gateway_that_has_the_revision_gets_304_until_there_is_another()
    {
        using var admin = fixture.Catalog.Operator();
        using var gateway = fixture.Catalog.Gateway();
        using var first = await gateway.GetAsync(InternalApi.SnapshotPath);
        var revision = (await first.JsonAsync())["revision"]!.GetValue<long>();
        Assert.Equal($"\"{revision}\"", first.Headers.ETag?.Tag);

        Assert.Equal(HttpStatusCode.NotModified, (await PollAsync(gateway, revision)).StatusCode);
        await new Parts(admin).NewAsync("plans");
        using var changed = await PollAsync(gateway, revision);

        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        Assert.Equal($"\"{revision + 1}\"", changed.Headers.ETag?.Tag);
    }

    [Fact]
    public async Task Only_the_content_of_the_latest_hundred_revisions_is_kept_and_every_number()
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        using var admin = fixture.Catalog.Operator();
        for (var i = 0; i < 105; i++)
        {
            await admin.CreateAsync("plans", new { name = $"kept-{i}" });
        }

        var (numbers, kept, gone, head) = await connection.QuerySingleAsync<(long, long, long, long)>(
            """
            select (select count(*) from config_revisions), (select count(*) from config_entries where from_revision > h.revision - 100),
                   (select count(*) from config_entries where to_revision <= h.revision - 99), h.revision
            from config_head h
            """);
        Assert.Equal(head, numbers);
        Assert.Equal(100, kept); // one for each of the hundred
        Assert.Equal(0, gone);
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("select count(*) from config_shards s where not exists (select from config_entries e where e.sha256 = s.sha256)"));
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("select count(*) from (select from config_dirty union all select from config_dirty_parts) as noted"));
    }

    [Fact]
    public async Task A_new_revision_is_announced_over_redis()
    {
        await using var redis = new RedisServerFixture();
        await redis.StartAsync();
        await using var catalog = new CatalogServer(fixture.ConnectionString, "Production", ("ConnectionStrings:redis", redis.ConnectionString));
        await catalog.ReadyAsync();
        var client = catalog.Services.GetRequiredService<IRedis>();
        var heard = new ConcurrentQueue<string>();
        using var subscription = client.Subscribe(InternalApi.RevisionChannel, heard.Enqueue);
        await Eventually.TrueAsync(async () => client.IsAvailable && (await client.ExecuteAsync(["PUBLISH", InternalApi.RevisionChannel, "probe"])).AsInt64() == 1);
        using var admin = catalog.Operator();

        await new Parts(admin).NewAsync("plans");

        var revision = (await catalog.SnapshotAsync()).Revision.ToString();
        await Eventually.TrueAsync(() => heard.Contains(revision));

        // Redis goes away in the middle: writes go on, quickly.
        await redis.KillAsync();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await new Parts(admin).NewAsync("plans");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"took {clock.Elapsed}");
        await Eventually.TrueAsync(() => catalog.Logs.All.Contains("is committed but not announced", StringComparison.Ordinal));
    }

    private static async Task<HttpResponseMessage> PollAsync(HttpClient gateway, long known)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, InternalApi.SnapshotPath);
        request.Headers.TryAddWithoutValidation("If-None-Match", $"\"{known}\"");
        return await gateway.SendAsync(request);
    }
}
