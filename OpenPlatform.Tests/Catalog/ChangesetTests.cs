using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

[Collection(Beside.Name)]
public sealed class ChangesetTests(SharedPostgres postgres) : IAsyncLifetime
{
    private string _connection = "";
    private CatalogServer _catalog = null!;
    private HttpClient _admin = null!;

    public async ValueTask InitializeAsync()
    {
        _connection = await postgres.CreateDatabaseAsync();
        _catalog = new(_connection);
        await _catalog.ReadyAsync();
        _admin = _catalog.Operator();
    }

    public ValueTask DisposeAsync()
    {
        _admin.Dispose();
        return _catalog.DisposeAsync();
    }

    [Fact]
    public async Task A_changeset_creates_changes_deletes_and_says_what()
    {
        var puts = Puts("""{"name":"a","addresses":["http://10.0.0.1"]}""", """{"name":"b","addresses":["http://10.0.0.2"],"health":{"active":{"path":"/healthz"}}}""", """{"name":"c","service":"c"}""");
        var created = await ApplyAsync(new() { ["puts"] = puts });
        Assert.Equal(["created a", "created b", "created c"], Actions(created));

        var changed = await ApplyAsync(new()
        {
            ["puts"] = Puts("""{"name":"a","addresses":["http://10.0.0.1"]}""", """{"name":"b","addresses":["http://10.0.0.3"],"health":{"active":{"path":"/ready"}}}"""),
            ["deletes"] = new JsonObject { ["backends"] = new JsonArray("c") },
        });

        Assert.Equal(["unchanged a", "changed b", "deleted c"], Actions(changed));
        Assert.Equal(["/addresses", "/health/active/path"], changed["changes"]![1]!["members"]!.AsArray().Select(static member => member!.GetValue<string>()));
        Assert.Equal(["a", "b"], (await _catalog.SnapshotAsync()).Backends.Select(static backend => backend.Name).Order());
        using var read = await _admin.GetAsync($"/admin/v1/changesets/{changed.Id()}");
        Assert.True(JsonNode.DeepEquals(changed, await read.JsonAsync()));
        using var list = await _admin.GetAsync("/admin/v1/changesets?limit=1");
        Assert.Contains("rel=\"next\"", list.Headers.GetValues("Link").Single(), StringComparison.Ordinal);
        Assert.Equal(3, (await list.JsonAsync())["items"]![0]!["created"]!.GetValue<int>());
    }

    [Fact]
    public async Task A_dry_run_says_the_same_and_changes_nothing()
    {
        var body = new JsonObject { ["puts"] = Puts("""{"name":"dry","service":"dry"}"""), ["dryRun"] = true };

        var planned = await ApplyAsync(body, HttpStatusCode.OK);

        Assert.Equal(["created dry"], Actions(planned));
        Assert.True(planned["dryRun"]!.GetValue<bool>());
        Assert.Empty((await _catalog.SnapshotAsync()).Backends);
        using var read = await _admin.GetAsync($"/admin/v1/changesets/{planned.Id()}");
        await read.ProblemAsync(HttpStatusCode.NotFound);
        body["dryRun"] = false;
        Assert.Equal(["created dry"], Actions(await ApplyAsync(body)));
    }

    [Theory]
    [InlineData("""{"puts":{"backends":[{"name":"ok","service":"ok"},{"name":"x","addresses":["nonsense"]}]}}""", "/puts/backends/1/addresses/0")]
    [InlineData("""{"puts":{"backends":[{"name":"x"}]}}""", "/puts/backends/0")]
    [InlineData("""{"puts":{"backends":[{"service":"x"}]}}""", "/puts/backends/0")]
    [InlineData("""{"puts":{"backends":[{"name":"x","service":"x","adresses":[]}]}}""", "/puts/backends/0/adresses")]
    [InlineData("""{"puts":{"backends":[{"name":"x","service":"x","health":{"pth":"/"}}]}}""", "/puts/backends/0/health/pth")]
    [InlineData("""{"puts":{"backends":[{"name":"x","service":"x"},{"name":"x","service":"y"}]}}""", "/puts/backends/1")]
    [InlineData("""{"puts":{"backends":{"name":"x"}}}""", "/puts/backends")]
    [InlineData("""{"puts":{"backends":[null]}}""", "/puts/backends/0")]
    [InlineData("""{"puts":{"upstreams":[]}}""", "/puts/upstreams")]
    [InlineData("""{"deletes":{"backends":["ghost"]}}""", "/deletes/backends/0")]
    [InlineData("""{"deletes":{"backends":[null]}}""", "/deletes/backends/0")]
    [InlineData("""{"puts":{"backends":[{"name":"x","service":"x"}]},"deletes":{"backends":["x"]}}""", "/deletes/backends/0")]
    [InlineData("""{"puts":{"organizations":[{"name":"acme"}],"backends":[{"name":"UPPER","service":"x"}]}}""", "/puts/backends/0/name")]
    public async Task What_is_wrong_is_named_where_it_stands_and_nothing_is_done(string body, string pointer)
    {
        using var refused = await _admin.PostAsJsonAsync("/admin/v1/changesets", JsonNode.Parse(body));

        Assert.Equal([pointer], (await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity)).Distinct());
        Assert.Empty((await _catalog.SnapshotAsync()).Backends);
        await using var connection = new NpgsqlConnection(_connection);
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("select count(*) from organizations"));
    }

    [Fact]
    public async Task An_export_put_back_changes_nothing()
    {
        await new Parts(_admin).NewAsync("subscriptions");
        await ApplyAsync(new() { ["puts"] = Puts("""{"name":"full","service":"full","addresses":["https://10.0.0.1"],"protocol":"http2","balancing":{"maxLoad":1.5},"health":{"active":{"path":"/healthz"}}}""") });
        using var export = await _admin.GetAsync("/admin/v1/export");
        var configuration = await export.JsonAsync();
        var before = (await _catalog.SnapshotAsync()).Revision;

        var again = await ApplyAsync(new() { ["puts"] = configuration.DeepClone() });

        Assert.NotEmpty(again["changes"]!.AsArray());
        Assert.All(Actions(again), static action => Assert.StartsWith("unchanged ", action, StringComparison.Ordinal));
        Assert.Equal(before, (await _catalog.SnapshotAsync()).Revision);
    }

    [Fact]
    public async Task Whoever_calls_what_changes_is_named()
    {
        var subscription = await _admin.CreateAsync("subscriptions", await new Parts(_admin).BodyAsync("subscriptions"));
        await using var connection = new NpgsqlConnection(_connection);
        var (backend, application, version) = await connection.QuerySingleAsync<(string, string, string)>(
            """
            select b.name, o.name || '/' || p.name, a.name || '/' || v.version from subscriptions s
            join applications p on p.id = s.application_id join organizations o on o.id = p.organization_id
            join api_versions v on v.id = s.version_id join apis a on a.id = v.api_id
            join api_revisions r on r.version_id = v.id join backends b on b.id = r.backend_id
            """);
        var body = new JsonObject { ["puts"] = Puts($$"""{"name":"{{backend}}","addresses":["http://10.9.9.9"]}""", """{"name":"unrelated","service":"unrelated"}"""), ["dryRun"] = true };

        var planned = await ApplyAsync(body, HttpStatusCode.OK);

        var affected = Assert.Single(planned["affected"]!.AsArray());
        Assert.Equal(application, affected!["application"]!.GetValue<string>());
        Assert.Equal([version], affected["subscriptions"]!.AsArray().Select(static name => name!.GetValue<string>()));
        Assert.NotNull(subscription);
        using var refused = await _admin.PostAsJsonAsync("/admin/v1/changesets", new { deletes = new { backends = new[] { backend } } });
        Assert.Equal(["/deletes/backends/0"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Theory]
    [InlineData("""{"split":{"variants":[{"name":"new","backend":"other","weightPercent":10}]}}""")]
    [InlineData("""{"degradation":{"alternateBackend":"other"}}""")]
    public async Task Whoever_calls_over_a_part_of_a_split_or_a_stand_in_is_named_too(string policies)
    {
        var puts = JsonNode.Parse(
            """
            {"organizations":[{"name":"acme"}],"plans":[{"name":"gold"}],"backends":[{"name":"own","service":"own"},{"name":"other","service":"other"}],
             "apis":[{"name":"divided","version":"v1","basePath":"/divided/v1","backend":"own","operations":["GET /things"],"policies":POLICIES}],
             "applications":[{"name":"shop","organization":"acme","subscriptions":[{"api":"divided/v1","plan":"gold"}]}]}
            """.Replace("POLICIES", policies, StringComparison.Ordinal))!;
        await ApplyAsync(new() { ["puts"] = puts });

        var planned = await ApplyAsync(new() { ["puts"] = Puts("""{"name":"other","service":"elsewhere"}"""), ["dryRun"] = true }, HttpStatusCode.OK);

        Assert.Equal(["acme/shop"], planned["affected"]!.AsArray().Select(static affected => affected!["application"]!.GetValue<string>()));
    }

    [Fact]
    public async Task A_thousand_operations_are_one_revision_and_one_chain()
    {
        var before = (await _catalog.SnapshotAsync()).Revision;
        var puts = Puts([.. Enumerable.Range(0, 1_000).Select(static i => $$"""{"name":"b{{i}}","addresses":["http://10.0.{{i / 250}}.{{i % 250}}"]}""")]);
        var clock = Stopwatch.StartNew();

        var applied = await ApplyAsync(new() { ["puts"] = puts });

        TestContext.Current.SendDiagnosticMessage($"1,000 puts in {clock.ElapsedMilliseconds} ms");
        Assert.Equal(1_000, applied["changes"]!.AsArray().Count);
        Assert.Equal(before + 1, (await _catalog.SnapshotAsync()).Revision);
        using var verified = await _admin.PostAsync("/admin/v1/audit:verify", null);
        var verdict = await verified.JsonAsync();
        Assert.True(verdict["isWhole"]!.GetValue<bool>());
        Assert.True(verdict["entries"]!.GetValue<long>() > 1_000);
    }

    /// <summary>A shard is written whole: what a changeset adds must not be strewn over all of what the catalog holds.</summary>
    [Fact]
    public async Task Partners_that_come_together_are_in_few_shards()
    {
        await ApplyAsync(new() { ["puts"] = JsonNode.Parse("""{"organizations":[{"name":"acme"}]}""") });
        var applications = new JsonArray([.. Enumerable.Range(0, 128).Select(static i => JsonNode.Parse($$"""{"name":"s{{i}}","organization":"acme"}"""))]);

        await ApplyAsync(new() { ["puts"] = new JsonObject { ["applications"] = applications } });

        var segments = (await _catalog.SnapshotAsync()).Applications.GroupBy(static application => OpenPlatform.Contracts.Snapshots.Shards.ShardName.SegmentOf(application.ApplicationId)).ToList();
        Assert.All(segments, static segment => Assert.Equal(32, segment.Count()));
        Assert.Equal(4, segments.Count);
    }

    /// <summary>Among a hundred thousand others, partners are found by an index, not by reading all of them.</summary>
    [Fact]
    public async Task Partners_of_a_changeset_are_found_by_index()
    {
        await ApplyAsync(new() { ["puts"] = JsonNode.Parse("""{"organizations":[{"name":"acme"}],"applications":[{"name":"first","organization":"acme"},{"name":"a/b","organization":"acme"}]}""") });
        await using (var connection = new NpgsqlConnection(_connection))
        {
            await connection.ExecuteAsync(
                """
                begin;
                set local session_replication_role = replica; -- no triggers: they are there to be looked through
                insert into applications (id, organization_id, name, created_at) select gen_random_uuid(), o.id, 'other-' || n, now() from organizations o, generate_series(1, 20000) n where o.name = 'acme';
                commit;
                analyze applications;
                analyze organizations;
                """);
        }

        await using var catalog = new CatalogServer(_connection + ";Options=-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_level=notice",
            settings: [("Logging:LogLevel:Npgsql", "Debug"), ("OpenPlatform:Jobs:Enabled", "false"), ("OpenPlatform:Webhooks:PollInterval", "00:01:00")]);
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var before = catalog.Logs.All.Length;

        using var applied = await admin.PostAsJsonAsync("/admin/v1/changesets", JsonNode.Parse(
            """{"puts":{"applications":[{"name":"first","organization":"acme","suspended":true}]},"deletes":{"applications":["acme/a/b"]}}"""), TestContext.Current.CancellationToken);

        Assert.Equal(["changed acme/first", "deleted acme/a/b"], Actions(await applied.JsonAsync()));
        var told = catalog.Logs.All[before..];
        Assert.Contains("Query Text: select o.name || '/' || a.name", told, StringComparison.Ordinal);
        Assert.Contains("applications_organization_id_name_key on applications a", told, StringComparison.Ordinal);
        Assert.DoesNotContain("Seq Scan on applications a", told, StringComparison.Ordinal);
    }

    /// <summary>New APIs go together: what is written at once is what would be written one by one, and as many statements whatever their number.</summary>
    [Fact]
    public async Task A_thousand_APIs_are_one_revision_and_told_where_they_clash()
    {
        const string Document = """{"openapi":"3.0.3","info":{"title":"Things","version":"1"},"paths":{"/things":{"get":{"operationId":"list","summary":"Lists things.","responses":{"200":{"description":"They."}}}},"/things/{id}":{"get":{"operationId":"read","summary":"Reads one.","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"200":{"description":"It."}}}}}}""";
        await ApplyAsync(new() { ["puts"] = Puts("""{"name":"b","service":"b"}""") });
        var before = (await _catalog.SnapshotAsync()).Revision;
        var apis = new JsonArray([.. Enumerable.Range(0, 1_000).Select(static i => JsonNode.Parse(
            $$"""{"name":"a{{i / 2}}","version":"v{{(i % 2) + 1}}","basePath":"/a{{i / 2}}/v{{(i % 2) + 1}}","backend":"b","openApi":{{Document}}}"""))]);
        var clock = Stopwatch.StartNew();

        var applied = await ApplyAsync(new() { ["puts"] = new JsonObject { ["apis"] = apis.DeepClone() } });

        TestContext.Current.SendDiagnosticMessage($"1,000 API versions in {clock.ElapsedMilliseconds} ms");
        Assert.All(Actions(applied), static action => Assert.StartsWith("created ", action, StringComparison.Ordinal));
        var snapshot = await _catalog.SnapshotAsync();
        Assert.Equal(before + 1, snapshot.Revision);
        Assert.Equal((1_000, 500), (snapshot.Apis.Count, snapshot.Apis.Select(static api => api.ApiId).Distinct().Count()));
        Assert.All(snapshot.Apis, static api => Assert.Equal(["list", "read"], api.Operations.Select(static operation => operation.OperationId)));
        await using var connection = new NpgsqlConnection(_connection);
        Assert.Equal((500L, 1_000L), await connection.QuerySingleAsync<(long, long)>(
            "select count(*) filter (where type = 'openplatform.api.created'), count(*) filter (where type = 'openplatform.version.published') from outbox"));
        Assert.Equal((500L, 1_000L, 1_000L, 1_000L), await connection.QuerySingleAsync<(long, long, long, long)>(
            "select count(*) filter (where kind = 'api'), count(*) filter (where kind = 'api-version'), count(*) filter (where kind = 'api-revision'), count(*) filter (where kind = 'api-operations') from audit"));
        Assert.All(Actions(await ApplyAsync(new() { ["puts"] = new JsonObject { ["apis"] = apis.DeepClone() } })), static action => Assert.StartsWith("unchanged ", action, StringComparison.Ordinal));

        // Another version of what is there changes it; a path that is taken is named where it stands, by what is there and within the list.
        var etag = await EtagAsync();
        await ApplyAsync(new() { ["puts"] = new JsonObject { ["apis"] = new JsonArray(JsonNode.Parse("""{"name":"a0","version":"v3","basePath":"/a0/v3","backend":"b","operations":["GET /things"]}""")) } });
        Assert.Equal(etag + 1, await EtagAsync());
        using var refused = await _admin.PostAsJsonAsync("/admin/v1/changesets", new JsonObject
        {
            ["puts"] = JsonNode.Parse(
                """
                {"apis":[{"name":"c","version":"v1","basePath":"/A0/v1","backend":"b","operations":["GET /things"]},{"name":"d","version":"v1","basePath":"/d","backend":"b","operations":["GET /things"]},
                         {"name":"e","version":"v1","basePath":"/D","backend":"b","operations":["GET /things"]}]}
                """),
        });
        Assert.Equal(["/puts/apis/0/basePath", "/puts/apis/2/basePath"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));

        Task<long> EtagAsync() => connection.ExecuteScalarAsync<long>("select etag from apis where name = 'a0'");
    }

    /// <summary>A round trip for each of a thousand is what took long.</summary>
    [Theory]
    [InlineData("apis", """{"name":"a#","version":"v1","basePath":"/a#/v1","backend":"b","operations":["GET /things"]}""")]
    [InlineData("plans", """{"name":"p#","rateLimits":[{"requests":1,"windowSeconds":1}]}""")]
    [InlineData("applications", """{"name":"s#","organization":"o","credentials":[{"key":"a-key-of-partner-#"}],"subscriptions":[{"api":"first/v1","plan":"p"}]}""")]
    public async Task What_is_new_takes_as_many_commands_however_much_it_is(string list, string item)
    {
        await ApplyAsync(new()
        {
            ["puts"] = JsonNode.Parse("""{"organizations":[{"name":"o"}],"backends":[{"name":"b","service":"b"}],"plans":[{"name":"p"}],"apis":[{"name":"first","version":"v1","basePath":"/first/v1","backend":"b","operations":["GET /things"]}]}"""),
        });
        await using var catalog = new CatalogServer(_connection, settings: [("Logging:LogLevel:Npgsql.Command", "Information"), ("OpenPlatform:Jobs:Enabled", "false"), ("OpenPlatform:Webhooks:PollInterval", "00:01:00")]);
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var (few, many) = (await CommandsAsync(100, 2), await CommandsAsync(200, 40));
        Assert.True(few > 5, $"{few} commands were seen.");
        Assert.InRange(many, few - 5, few + 10); // a tick of the catalog's own may come between

        async Task<int> CommandsAsync(int from, int count)
        {
            var before = catalog.Logs.All.Length;
            var items = new JsonArray([.. Enumerable.Range(from, count).Select(i => JsonNode.Parse(item.Replace("#", $"{i}", StringComparison.Ordinal)))]);
            using var applied = await admin.PostAsJsonAsync("/admin/v1/changesets", new JsonObject { ["puts"] = new JsonObject { [list] = items } }, TestContext.Current.CancellationToken);
            Assert.True(applied.IsSuccessStatusCode, await applied.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            return catalog.Logs.All[before..].Split("xecution completed").Length - 1;
        }
    }

    /// <summary>Plans, and applications with a key and a subscription each: what is written at once is what would be written one by one.</summary>
    [Fact]
    public async Task A_thousand_plans_and_a_thousand_partners_are_a_revision_each()
    {
        await ApplyAsync(new()
        {
            ["puts"] = JsonNode.Parse("""{"organizations":[{"name":"acme"}],"backends":[{"name":"b","service":"b"}],"apis":[{"name":"a","version":"v1","basePath":"/a/v1","backend":"b","operations":["GET /things"]}]}"""),
        });
        var before = (await _catalog.SnapshotAsync()).Revision;
        var plans = new JsonArray([.. Enumerable.Range(0, 1_000).Select(static i => JsonNode.Parse($$"""{"name":"p{{i}}","apis":["a"],"rateLimits":[{"requests":{{i + 1}},"windowSeconds":60}]}"""))]);
        var clock = Stopwatch.StartNew();
        await ApplyAsync(new() { ["puts"] = new JsonObject { ["plans"] = plans } });
        TestContext.Current.SendDiagnosticMessage($"1,000 plans in {clock.ElapsedMilliseconds} ms");
        var applications = new JsonArray([.. Enumerable.Range(0, 1_000).Select(static i => JsonNode.Parse(
            $$"""{"name":"s{{i}}","organization":"acme","credentials":[{"name":"ci","key":"a-key-of-partner-{{i:0000}}"}],"subscriptions":[{"api":"a/v1","plan":"p{{i}}"}]}"""))]);
        clock.Restart();
        await ApplyAsync(new() { ["puts"] = new JsonObject { ["applications"] = applications } });
        TestContext.Current.SendDiagnosticMessage($"1,000 applications with key and subscription in {clock.ElapsedMilliseconds} ms");

        var snapshot = await _catalog.SnapshotAsync();
        Assert.Equal(before + 2, snapshot.Revision);
        Assert.Equal(1_000, snapshot.Plans.Count(static plan => plan.RateLimits is [{ WindowSeconds: 60 }]));
        Assert.Equal((1_000, 1_000, 1_000), (snapshot.Applications.Count, snapshot.Credentials.Count, snapshot.Subscriptions.Count));
        await using var connection = new NpgsqlConnection(_connection);
        Assert.Equal((1_000L, 1_000L, 1_000L, 1_000L), await connection.QuerySingleAsync<(long, long, long, long)>(
            """
            select count(*) filter (where type = 'openplatform.plan.created'), count(*) filter (where type = 'openplatform.application.created'),
                   count(*) filter (where type = 'openplatform.credential.issued' and organization_id is not null), count(*) filter (where type = 'openplatform.subscription.activated')
            from outbox
            """));
        Assert.Equal((1_000L, 1_000L, 1_000L), await connection.QuerySingleAsync<(long, long, long)>(
            "select count(*) filter (where kind = 'plan-revision'), count(*) filter (where kind = 'credential'), count(*) filter (where kind = 'subscription') from audit"));

        // Six keys are one too many; a key that is taken, a plan that is not offered and one that is not there are named at their places.
        var wrong = JsonNode.Parse(
            """
            {"plans":[{"name":"elsewhere","apis":["other"]}],
             "apis":[{"name":"other","version":"v1","basePath":"/other/v1","backend":"b","operations":["GET /things"]}],
             "applications":[
              {"name":"many","organization":"acme","credentials":[KEYS]},
              {"name":"taken","organization":"acme","credentials":[{"key":"a-key-of-partner-0007"}]},
              {"name":"lost","organization":"acme","subscriptions":[{"api":"a/v1","plan":"elsewhere"},{"api":"other/v1","plan":"nowhere"}]}]}
            """.Replace("KEYS", string.Join(',', Enumerable.Range(0, 6).Select(static i => $$"""{"name":"k{{i}}","key":"one-of-many-keys-{{i}}"}""")), StringComparison.Ordinal));
        using var refused = await _admin.PostAsJsonAsync("/admin/v1/changesets", new { puts = wrong });
        Assert.Equal(
            ["/puts/applications/0/credentials/5/applicationId", "/puts/applications/1/credentials/0/key", "/puts/applications/2/subscriptions/0/plan", "/puts/applications/2/subscriptions/1/plan"],
            (await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_hundred_writers_at_once_lose_no_update()
    {
        // Each makes its own things; all of them are there.
        var organization = await _admin.CreateAsync("organizations", new { name = "counted" });
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            var own = await OneAsync($"w{i}", () => _admin.PostAsJsonAsync("/admin/v1/changesets", new JsonObject { ["puts"] = Puts($$"""{"name":"w{{i}}","service":"w{{i}}"}""") }));
            var application = await OneAsync($"a{i}", () => _admin.PostAsJsonAsync("/admin/v1/applications", new { organizationId = organization.Id(), name = $"a{i}" }));
            return (string[])[own, application];
        }));

        Assert.Equal([], answers.SelectMany(static both => both).Where(static answer => answer != "201"));
        var snapshot = await _catalog.SnapshotAsync();
        Assert.Equal(100, snapshot.Backends.Count);
        Assert.Equal(100, snapshot.Applications.Count);

        static async Task<string> OneAsync(string what, Func<Task<HttpResponseMessage>> write)
        {
            try
            {
                // A writer waits 30 s for its turn. On a machine where a hundred do not fit into that, it is told that nothing was done, and comes again.
                var response = await write();
                while (response.StatusCode == HttpStatusCode.ServiceUnavailable)
                {
                    response.Dispose();
                    response = await write();
                }

                using var last = response;
                return response.StatusCode == HttpStatusCode.Created ? "201" : $"{what}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}";
            }
            catch (HttpRequestException e)
            {
                return $"{what}: {e.Message}";
            }
        }
    }

    [Fact]
    public async Task A_hundred_writers_of_one_resource_on_two_catalogs_add_up_and_whoever_is_told_200_is_in_it()
    {
        await using var otherCatalog = new CatalogServer(_connection);
        await otherCatalog.ReadyAsync();
        using var otherAdmin = otherCatalog.Operator();
        HttpClient[] admins = [_admin, otherAdmin];
        // Each reads, adds its own address, and writes what it made of it if nobody else was faster: otherwise it begins again.
        var backend = await _admin.CreateAsync("backends", new { name = "shared", service = "shared" });
        var path = $"/admin/v1/backends/{backend.Id()}";
        var (refused, overtaken) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            while (true)
            {
                var (here, there) = (admins[i % 2], admins[(i + 1) % 2]);
                using var read = await here.GetAsync(path);
                var addresses = (await read.JsonAsync())["addresses"]!.AsArray().Select(static address => address!.GetValue<string>());
                using var written = await here.PatchAsync($"backends/{backend.Id()}", read.Headers.ETag!.Tag, new { addresses = addresses.Append($"http://10.0.0.{i + 1}") });
                if (written.StatusCode == HttpStatusCode.OK)
                {
                    // Whoever came later built on it: it is never gone again, and the other catalog knows of it.
                    using var later = await there.GetAsync(path);
                    Interlocked.Add(ref overtaken, (await later.JsonAsync())["addresses"]!.AsArray().Any(address => address!.GetValue<string>() == $"http://10.0.0.{i + 1}") ? 0 : 1);
                    return;
                }

                Assert.Equal(HttpStatusCode.PreconditionFailed, written.StatusCode);
                Interlocked.Increment(ref refused);
            }
        }));

        using var last = await _admin.GetAsync(path);
        Assert.Equal(
            Enumerable.Range(1, 100).Select(static i => $"http://10.0.0.{i}").Order(StringComparer.Ordinal),
            (await last.JsonAsync())["addresses"]!.AsArray().Select(static address => address!.GetValue<string>()).Order(StringComparer.Ordinal));
        Assert.Equal("\"101\"", last.Headers.ETag!.Tag); // a hundred changes, each on top of the one before
        Assert.Equal(0, overtaken);
        Assert.True(refused > 0, "Nobody met anybody: that shows nothing.");
    }

    private static JsonObject Puts(params string[] backends) => new() { ["backends"] = new JsonArray([.. backends.Select(static backend => JsonNode.Parse(backend))]) };

    private static IEnumerable<string> Actions(JsonNode changeset) => changeset["changes"]!.AsArray().Select(static change => $"{change!["action"]} {change["name"]}");

    private async Task<JsonObject> ApplyAsync(JsonObject body, HttpStatusCode status = HttpStatusCode.Created)
    {
        using var response = await _admin.PostAsJsonAsync("/admin/v1/changesets", body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(status == response.StatusCode, $"{(int)response.StatusCode} {text}");
        return JsonNode.Parse(text)!.AsObject();
    }
}
