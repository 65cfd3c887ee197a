using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Propagation;

/// <summary>From the catalog's rows to what gateways run, over real Postgres and real HTTP.</summary>
public sealed partial class PropagationTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Only_what_changed_travels_in_order_and_under_the_signature()
    {
        using var admin = fixture.Catalog.Operator();
        var credential = await admin.CreateAsync("credentials", await new Parts(admin).BodyAsync("credentials"));
        await new Parts(admin).NewAsync("subscriptions");
        using var stream = await StreamAsync(fixture.Catalog, ShardHashes.Empty);
        var first = await stream.NextAsync();
        Assert.Contains(first.Shards, static shard => shard.Name.StartsWith("api/", StringComparison.Ordinal));

        var id = await new Parts(admin).NewAsync("plans");
        var plan = await stream.NextAsync();
        Assert.Equal(first.Manifest.Revision + 1, plan.Manifest.Revision);
        Assert.Equal([ShardName.Plans(ShardName.SegmentOf(Guid.Parse(id)))], plan.Shards.Select(static shard => shard.Name));

        using var revoked = await admin.ActAsync($"credentials/{credential.Id()}:revoke", "*");
        var key = await stream.NextAsync();
        Assert.Equal(plan.Manifest.Revision + 1, key.Manifest.Revision);
        Assert.All(key.Shards, static shard => Assert.StartsWith("credentials/", shard.Name, StringComparison.Ordinal));
        Assert.Equal(1, key.Shards.Count + plan.Manifest.Shards.Count - key.Manifest.Shards.Count); // that segment, with another content or gone
        Assert.InRange(stream.Bytes, 1, 2_000_000);

        // Who has everything already is sent a step without shards.
        using var other = await StreamAsync(fixture.Catalog, key.Manifest.Shards);
        Assert.Empty((await other.NextAsync()).Shards);
    }

    [Fact]
    public async Task A_change_made_at_one_catalog_is_pushed_by_another()
    {
        await using var second = new CatalogServer(fixture.ConnectionString);
        await second.ReadyAsync();
        using var admin = fixture.Catalog.Operator();
        using var stream = await StreamAsync(second, ShardHashes.Empty);
        var before = (await stream.NextAsync()).Manifest.Revision;
        await new Parts(admin).NewAsync("plans");
        Assert.Equal(before + 1, (await stream.NextAsync()).Manifest.Revision);
    }

    [Fact]
    public async Task A_change_reaches_three_gateways_a_revoked_key_is_refused_and_each_says_what_it_runs()
    {
        await using var backend = await TestBackend.StartAsync();
        using var admin = fixture.Catalog.Operator();
        var caller = await CallerAsync(admin, backend.Address);
        await using var one = await GatewayAsync(fixture.Catalog);
        await using var two = await GatewayAsync(fixture.Catalog);
        await using var three = await GatewayAsync(fixture.Catalog);
        GatewayHost[] gateways = [one, two, three];
        foreach (var gateway in gateways)
        {
            using var client = gateway.Client(caller.Key);
            await Eventually.TrueAsync(async () => (await client.GetAsync(caller.Path, Stop)).StatusCode == HttpStatusCode.OK);
        }

        using var revoked = await admin.ActAsync($"credentials/{caller.Credential}:revoke", "*");
        foreach (var gateway in gateways)
        {
            using var client = gateway.Client(caller.Key);
            await Eventually.TrueAsync(async () => (await client.GetAsync(caller.Path, Stop)).StatusCode == HttpStatusCode.Unauthorized);
        }

        var revision = (await fixture.Catalog.SnapshotAsync()).Revision;
        await Eventually.TrueAsync(async () => (await ListAsync(admin)).Count(g => g["revision"]!.GetValue<long>() == revision && g["refused"]!.AsArray().Count == 0) >= 3);
        var current = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/config-revisions/current", Stop))!;
        Assert.Equal(revision, current["revision"]!.GetValue<long>());
        Assert.StartsWith("credentials/", Assert.Single(current["changed"]!.AsArray())!.GetValue<string>(), StringComparison.Ordinal);
        var page = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/config-revisions?limit=2", Stop))!["items"]!.AsArray();
        Assert.Equal([revision, revision - 1], page.Select(static r => r!["revision"]!.GetValue<long>()));
        using var none = await admin.GetAsync($"/admin/v1/config-revisions/{revision + 1}", Stop);
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
    }

    [Fact]
    public async Task A_killed_catalog_costs_nothing_the_other_one_brings_the_next_change()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var second = new CatalogServer(fixture.ConnectionString);
        await second.ReadyAsync();
        var third = new CatalogServer(fixture.ConnectionString);
        await third.ReadyAsync();
        using var admin = fixture.Catalog.Operator();
        await using var gateway = await GatewayAsync(third, ("services:catalog:http:1", second.Anonymous().BaseAddress!.ToString()), ("OpenPlatform:Gateway:Snapshots:PollInterval", "00:00:00.2"));
        await third.DisposeAsync();

        await new Parts(admin).NewAsync("plans");
        var revision = (await fixture.Catalog.SnapshotAsync()).Revision;
        await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == revision, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Whatever_is_written_the_shards_are_what_a_rebuild_of_everything_would_be()
    {
        using var admin = fixture.Catalog.Operator();
        var random = new Random(7);
        var (applications, credentials, subscriptions, plans) = (new List<string>(), new List<string>(), new List<string>(), new List<string>());
        for (var i = 0; i < 80; i++)
        {
            switch (random.Next(12))
            {
                case 8:
                    plans.Add(await new Parts(admin).NewAsync("plans"));
                    break;
                case 9 when plans.Count > 0: // the next revision of a plan, or the same again
                    (await admin.PatchAsync($"plans/{Any(plans)}", "*", new { rateLimits = new[] { new { requests = random.Next(1, 4), windowSeconds = 60 } } })).Dispose();
                    break;
                case 10: // what signs requests and what is known by a certificate is in the segments, too
                    credentials.Add((await admin.CreateAsync("credentials", new { applicationId = await new Parts(admin).NewAsync("applications"), type = "hmac" })).Id());
                    break;
                case 11: // an issuer with its key, and a token that was taken back
                    await AddIssuerAsync(i);
                    break;
                case 0:
                    applications.Add(await new Parts(admin).NewAsync("applications"));
                    break;
                case 1:
                    credentials.Add(await new Parts(admin).NewAsync("credentials"));
                    break;
                case 2:
                    subscriptions.Add(await new Parts(admin).NewAsync("subscriptions"));
                    break;
                case 3:
                    await new Parts(admin).NewAsync("backends");
                    break;
                case 4 when applications.Count > 0:
                    (await admin.ActAsync($"applications/{Any(applications)}:{(random.Next(2) == 0 ? "suspend" : "resume")}", "*")).Dispose();
                    break;
                case 5 when credentials.Count > 0:
                    (await admin.ActAsync($"credentials/{Any(credentials)}:revoke", "*")).Dispose();
                    break;
                case 6 when subscriptions.Count > 0:
                    (await admin.ActAsync($"subscriptions/{Any(subscriptions)}:cancel", "*")).Dispose();
                    break;
                default:
                    await new Parts(admin).NewAsync("apis");
                    break;
            }
        }

        await new Parts(admin).NewAsync("plans"); // what stands beside the catalog's own writes is in the next revision
        var snapshot = await fixture.Catalog.SnapshotAsync();
        Assert.NotEmpty(snapshot.Issuers!);
        Assert.NotEmpty(snapshot.SigningKeys!);
        Assert.Contains(snapshot.Plans, static plan => plan.RateLimits is [{ WindowSeconds: 60, Requests: < 4 }]);
        await AssertRebuildIsTheSameAsync();
        string Any(List<string> ids) => ids[random.Next(ids.Count)];
    }

    [Fact]
    public async Task Rows_that_were_touched_behind_the_catalogs_back_are_in_the_next_revision()
    {
        using var admin = fixture.Catalog.Operator();
        var application = await new Parts(admin).NewAsync("applications");
        await using (var connection = new NpgsqlConnection(fixture.ConnectionString))
        {
            await connection.ExecuteAsync("update applications set name = 'renamed' where id = @id", new { id = Guid.Parse(application) });
        }

        await new Parts(admin).NewAsync("organizations"); // changes nothing for gateways by itself
        Assert.Contains((await fixture.Catalog.SnapshotAsync()).Applications, static a => a.Name == "renamed");
        await AssertRebuildIsTheSameAsync();
    }

    [Fact]
    public async Task Every_table_of_the_snapshot_has_a_trigger_and_segments_are_found_by_index()
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        var triggered = (await connection.QueryAsync<string>(
            "select distinct c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid where p.proname in ('note_shard', 'note_part', 'note_versions_of_api')")).ToHashSet();
        var folder = Path.Combine(OpenPlatform.Tests.Architecture.Repository.Root, "OpenPlatform.Catalog", "Snapshots", "Readers");
        var read = Directory.EnumerateFiles(folder, "*.cs").SelectMany(static file => Table().Matches(File.ReadAllText(file)))
            .Select(static match => match.Groups["table"].Value).Where(static name => name is not "unnest").ToHashSet();

        // Revisions and operations are immutable; which is in force is a column of api_versions.
        Assert.Equal([], read.Except(triggered).Except(["api_revisions", "api_operations"]).Order());

        foreach (var sql in (string[])[
            "select id from applications where segment_of(id) = any(array['7f'])", "select id from subscriptions where state = 'active' and segment_of(application_id) = any(array['7f'])",
            "select id from credentials where revoked_at is null and segment_of(hash) = any(array['7f'])",
            "select id from backends where segment_of(id) = any(array['7f'])", "select id from plans where segment_of(id) = any(array['7f'])"])
        {
            // Tables of tests are small: without sequential scans the planner takes an index, if one fits.
            var plan = string.Join('\n', await connection.QueryAsync<string>($"set enable_seqscan = off; explain {sql}"));
            Assert.Contains("_segment", plan, StringComparison.Ordinal);
        }
    }

    private async Task AddIssuerAsync(int number)
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.ExecuteAsync(
            """
            insert into token_keys (id, issuer, audience, public_key, sealed_private_key, created_at, signs_from)
            values (gen_random_uuid(), @issuer, 'tests', @key, 'sealed', now(), now());
            insert into token_revocations (id, expires_at) values (gen_random_uuid(), now() + interval '1 day');
            """, new { issuer = $"https://issuer-{number}.example", key = key.ExportSubjectPublicKeyInfo() });
    }

    private async Task AssertRebuildIsTheSameAsync()
    {
        Snapshot? rebuilt = null;
        await fixture.Catalog.Services.GetRequiredService<ConfigChanges>().ApplyAsync<bool>(
            async change =>
            {
                rebuilt = await SnapshotReader.ReadAsync(change, ShardSelection.All);
                return true;
            }, Stop);
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        var kept = await connection.QueryAsync<(string Shard, string Hash)>("select shard, encode(sha256, 'hex') from config_entries where to_revision is null");
        Assert.Equal(
            SnapshotShards.Split(rebuilt!).Select(static shard => (shard.Key, SnapshotShards.HashOf(SnapshotShards.Serialize(shard.Value)))),
            kept.OrderBy(static entry => entry.Shard, StringComparer.Ordinal));
    }

    private static async Task<(string Key, string Path, string Credential)> CallerAsync(HttpClient admin, Uri backend)
    {
        var name = $"prop-{Guid.NewGuid():N}"[..20];
        var plan = await admin.CreateAsync("plans", new { name, approvalRequired = false, rateLimits = new[] { new { requests = 1_000_000, windowSeconds = 1 } } });
        var api = await admin.CreateAsync("apis", new
        {
            name, version = "v1", basePath = $"/{name}/v1", backendId = (await admin.CreateAsync("backends", new { name, addresses = new[] { backend } })).Id(),
            operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/things" } },
        });
        var application = await new Parts(admin).NewAsync("applications");
        var credential = await admin.CreateAsync("credentials", new { applicationId = application });
        await admin.CreateAsync("subscriptions", new { applicationId = application, versionId = api["versions"]![0]!.Id(), planId = plan.Id() });
        return (credential["key"]!.GetValue<string>(), $"/{name}/v1/things", credential.Id());
    }

    private static Task<GatewayHost> GatewayAsync(CatalogServer catalog, params (string Key, string Value)[] settings) => GatewayHost.StartAsync(catalog: null, settings:
    [
        ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper), ("OpenPlatform:EnvelopeKey", CatalogServer.EnvelopeKey),
        ("services:catalog:http:0", catalog.Anonymous().BaseAddress!.ToString()), ("OpenPlatform:Gateway:Snapshots:PollInterval", "00:00:02"), .. settings,
    ]);

    private static async Task<IEnumerable<JsonNode>> ListAsync(HttpClient admin) =>
        JsonNode.Parse(await admin.GetStringAsync("/admin/v1/gateways", Stop))!["items"]!.AsArray().Select(static item => item!);

    private static async Task<Follower> StreamAsync(CatalogServer catalog, ShardHashes have)
    {
        var client = catalog.Gateway();
        using var request = new HttpRequestMessage(HttpMethod.Post, InternalApi.ConfigPath) { Content = JsonContent.Create(new("test", have), ConfigJson.Default.ConfigHave) };
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return new(client, response, have, await response.Content.ReadAsStreamAsync(Stop));
    }

    [GeneratedRegex(@"\b(from|join) (?<table>[a-z_]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Table();

    /// <summary>A gateway's end of the stream, and the bytes that came.</summary>
    private sealed class Follower(HttpClient client, HttpResponseMessage response, ShardHashes have, Stream stream) : IDisposable
    {
        private readonly BackgroundThread _thread = new("follower");
        private ConfigReader? _reader;

        /// <summary>Of contents, so far.</summary>
        public long Bytes { get; private set; }

        public async Task<(ConfigManifest Manifest, IReadOnlyList<ReceivedShard> Shards)> NextAsync()
        {
            while (true)
            {
                _reader ??= new(stream, have, new ManifestSigner(CatalogServer.ServiceToken), _thread);
                if (await _reader.ReadAsync(Stop).WaitAsync(TimeSpan.FromSeconds(30), Stop) is { } step)
                {
                    Bytes += step.Shards.Sum(static shard => shard.Content.Length);
                    return step;
                }
            }
        }

        public void Dispose()
        {
            response.Dispose();
            client.Dispose();
            _thread.Dispose();
        }
    }
}
