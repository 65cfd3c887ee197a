using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Catalog.Access;

namespace OpenPlatform.Tests.Catalog.Apis;

/// <summary>APIs as files: what is declared is what is in force, and declaring it again changes nothing.</summary>
public sealed class DeclaredApiTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task What_is_exported_changes_nothing_when_it_is_put_back()
    {
        using var admin = fixture.Catalog.Operator();
        var applied = await ApplyAsync(admin, Document("exported"));
        Assert.Equal(["created", "created"], Actions(applied));

        var again = await ApplyAsync(admin, Document("exported"));
        Assert.Equal(["unchanged", "unchanged"], Actions(again));
        var exported = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/export"))!.AsObject();
        var api = Assert.Single(exported["apis"]!.AsArray(), item => item!["name"]!.GetValue<string>() == "exported")!;
        Assert.Equal("exported", api["policies"]!["degradation"]!["alternateBackend"]!.GetValue<string>());
        var back = await ApplyAsync(admin, new() { ["apis"] = new JsonArray(api.DeepClone()) });
        Assert.Equal(["unchanged"], Actions(back));
        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.Name == "exported");
        Assert.Equal((1, 4), (model.Revision, model.Operations[1].Policies!.Cost));
    }

    [Fact]
    public async Task A_breaking_change_is_shown_by_a_dry_run_and_refused_for_good()
    {
        using var admin = fixture.Catalog.Operator();
        await ApplyAsync(admin, Document("breaking"));
        var changed = Document("breaking");
        changed["apis"]![0]!["operations"] = new JsonArray("GET /things");

        var dry = await ApplyAsync(admin, changed, dryRun: true);
        var breaking = Assert.Single(dry["breaking"]!.AsArray())!;
        Assert.Equal(("breaking/v1", "operation-removed: POST /things is gone"), (breaking["name"]!.GetValue<string>(), breaking["detail"]!.GetValue<string>()));
        using var refused = await admin.PostAsJsonAsync("/admin/v1/changesets", new { puts = changed });
        Assert.Single(await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        Assert.Equal(2, Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.Name == "breaking").Operations.Count);
    }

    [Fact]
    public async Task A_version_ends_as_it_is_declared_and_does_not_come_back()
    {
        using var admin = fixture.Catalog.Operator();
        var document = Document("ending");
        var second = document["apis"]![0]!.DeepClone();
        (second["version"], second["basePath"]) = ("v2", "/ending/v2");
        document["apis"]!.AsArray().Add(second);
        document["apis"]![0]!["lifecycle"] = JsonNode.Parse("""{"state":"deprecated","sunsetAt":"2999-01-01T00:00:00Z","successor":"/ending/v2"}""");
        document["apis"]![0]!["blocked"] = JsonNode.Parse("""{"reason":"Wrong totals"}""");
        await ApplyAsync(admin, document);
        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.BasePath == "/ending/v1");
        Assert.Equal(("deprecated", "/ending/v2", "Wrong totals"), (model.Lifecycle!.State, model.Lifecycle.Successor, model.Blocked!.Reason));
        Assert.All(Actions(await ApplyAsync(admin, document)), action => Assert.Equal("unchanged", action));

        document["apis"]![0]!.AsObject().Remove("lifecycle");
        using var refused = await admin.PostAsJsonAsync("/admin/v1/changesets", new { puts = document });
        Assert.Equal(["/puts/apis/0/lifecycle/state"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));

        document["apis"]![0]!["lifecycle"] = JsonNode.Parse("""{"state":"retired"}""");
        document["apis"]![0]!.AsObject().Remove("blocked");
        await ApplyAsync(admin, document);
        model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.BasePath == "/ending/v1");
        Assert.Equal(("retired", null), (model.Lifecycle!.State, model.Blocked));
    }

    [Fact]
    public async Task What_a_changeset_does_to_a_version_changes_the_ETag_of_its_API()
    {
        using var admin = fixture.Catalog.Operator();
        var document = Document("tagged");
        var second = document["apis"]![0]!.DeepClone();
        (second["version"], second["basePath"]) = ("v2", "/tagged/v2");
        document["apis"]!.AsArray().Add(second);
        await ApplyAsync(admin, document);
        var id = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/apis?limit=200"))!["items"]!.AsArray().First(api => api!["name"]!.GetValue<string>() == "tagged")!.Id();
        var seen = new HashSet<string> { await TagAsync() };

        foreach (var (member, json) in new[] { ("lifecycle", """{"state":"deprecated"}"""), ("blocked", """{"reason":"Wrong totals"}"""), ("blocked", "null"), ("lifecycle", """{"state":"retired"}""") })
        {
            document["apis"]![0]![member] = JsonNode.Parse(json);
            await ApplyAsync(admin, document);
            Assert.True(seen.Add(await TagAsync()), $"{member} {json}");
        }

        using var deleted = await admin.PostAsJsonAsync("/admin/v1/changesets", new { deletes = new { apis = new[] { "tagged/v1" } } });
        Assert.Equal(HttpStatusCode.Created, deleted.StatusCode);
        Assert.True(seen.Add(await TagAsync()), "deleted");
        // What says the same again is no change.
        document["apis"]!.AsArray().RemoveAt(0);
        await ApplyAsync(admin, document);
        Assert.False(seen.Add(await TagAsync()));

        async Task<string> TagAsync()
        {
            using var read = await admin.GetAsync($"/admin/v1/apis/{id}");
            return read.Headers.ETag!.Tag;
        }
    }

    /// <summary>Blocking is an operator's; a publisher's next deployment takes no emergency stop away.</summary>
    [Fact]
    public async Task Who_may_not_block_does_not_do_it_by_a_changeset_nor_undoes_it()
    {
        using var admin = fixture.Catalog.Operator();
        using var publisher = fixture.Catalog.With((await admin.TokenAsync("publisher")).Token);
        var document = Document("stopped");
        await ApplyAsync(publisher, document);
        var blocked = document.DeepClone();
        blocked["apis"]![0]!["blocked"] = JsonNode.Parse("""{"reason":"Wrong totals"}""");

        using var refused = await publisher.PostAsJsonAsync("/admin/v1/changesets", new { puts = blocked });
        Assert.Equal(["/puts/apis/0/blocked"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        Assert.Null((await ModelAsync()).Blocked);

        await ApplyAsync(admin, blocked.AsObject());
        document["apis"]![0]!["operations"]!.AsArray().Add("GET /more");
        await ApplyAsync(publisher, document);
        Assert.Equal(("Wrong totals", 3), ((await ModelAsync()).Blocked?.Reason, (await ModelAsync()).Operations.Count));

        await ApplyAsync(admin, document);
        Assert.Null((await ModelAsync()).Blocked);

        async Task<OpenPlatform.Contracts.Snapshots.ApiModel> ModelAsync() => Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.Name == "stopped");
    }

    /// <summary>It says nothing to a catalog that is built anew from the export.</summary>
    [Fact]
    public async Task A_block_that_has_ended_is_not_exported()
    {
        using var admin = fixture.Catalog.Operator();
        await ApplyAsync(admin, Document("over"));
        await using var connection = new Npgsql.NpgsqlConnection(fixture.ConnectionString);
        await Dapper.SqlMapper.ExecuteAsync(connection, "update api_versions set blocked_reason = 'x', blocked_at = now() - interval '2 hours', blocked_until = now() - interval '1 hour' where base_path = '/over/v1'");

        var exported = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/export"))!["apis"]!.AsArray().Single(api => api!["name"]!.GetValue<string>() == "over")!;

        Assert.Null(exported["blocked"]);
        Assert.Equal(["unchanged"], Actions(await ApplyAsync(admin, new() { ["apis"] = new JsonArray(exported.DeepClone()) })));
    }

    [Theory]
    [InlineData("backend", "\"nobody\"", "/puts/apis/0/backend")]
    [InlineData("basePath", "\"things\"", "/puts/apis/0/basePath")]
    [InlineData("operations", """["GET things"]""", "/puts/apis/0/operations/0/path")]
    [InlineData("operations", """[{"operationId":"a","method":"GET","paht":"/a"}]""", "/puts/apis/0/operations/0/paht")]
    [InlineData("policies", """{"degradation":{"alternateBackend":"nobody"}}""", "/puts/apis/0/policies/degradation/alternateBackend")]
    [InlineData("policies", """{"retry":{"statuses":[200]}}""", "/puts/apis/0/policies/retry/statuses/0")]
    [InlineData("blocked", """{"reason":""}""", "/puts/apis/0/blocked/reason")]
    [InlineData("lifecycle", """{"state":"deprecated","successor":"/nowhere"}""", "/puts/apis/0/lifecycle/successor")]
    [InlineData("lifecycel", "{}", "/puts/apis/0/lifecycel")]
    public async Task What_is_wrong_with_a_declared_version_is_named_at_its_place(string member, string json, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var document = Document("wrong");
        document["apis"]![0]![member] = JsonNode.Parse(json);
        using var refused = await admin.PostAsJsonAsync("/admin/v1/changesets", new { puts = document });
        Assert.Contains(pointer, await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        Assert.DoesNotContain((await fixture.Catalog.SnapshotAsync()).Apis, model => model.Name == "wrong");
    }

    [Fact]
    public async Task The_orders_sample_applies_as_it_is_and_again_without_a_change()
    {
        using var admin = fixture.Catalog.Operator();
        var puts = await OrdersSampleAsync();

        Assert.All(Actions(await ApplyAsync(admin, puts)), action => Assert.Equal("created", action));
        Assert.All(Actions(await ApplyAsync(admin, puts)), action => Assert.Equal("unchanged", action));
        var api = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.Name == "orders");
        Assert.Equal(["listOrders", "createOrder", "getOrder", "slow", "error"], api.Operations.Select(operation => operation.OperationId));
        Assert.NotNull(api.Operations[1].Policies!.RequestSchema);
    }

    [Fact]
    public async Task A_thousand_operations_are_compiled_and_committed_as_one_changeset()
    {
        using var admin = fixture.Catalog.Operator();
        var document = new JsonObject
        {
            ["backends"] = new JsonArray(new JsonObject { ["name"] = "many", ["service"] = "many" }),
            ["apis"] = new JsonArray([.. Enumerable.Range(0, 20).Select(api => (JsonNode)new JsonObject
            {
                ["name"] = $"many-{api}", ["version"] = "v1", ["basePath"] = $"/many-{api}/v1", ["backend"] = "many",
                ["operations"] = new JsonArray([.. Enumerable.Range(0, 50).Select(n => (JsonNode)$"GET /things{n}/{{id}}")]),
            })]),
        };
        var watch = System.Diagnostics.Stopwatch.StartNew();

        await ApplyAsync(admin, document);

        TestContext.Current.TestOutputHelper?.WriteLine($"{watch.Elapsed.TotalMilliseconds:F0} ms");
        Assert.Equal(1_000, (await fixture.Catalog.SnapshotAsync()).Apis.Where(model => model.Name.StartsWith("many-", StringComparison.Ordinal)).Sum(model => model.Operations.Count));
    }

    /// <summary>What <c>openplatform apply -f samples/orders-catalog</c> puts.</summary>
    internal static async Task<JsonObject> OrdersSampleAsync()
    {
        var puts = new JsonObject();
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "samples/orders-catalog"), "*.yaml").Order(StringComparer.Ordinal))
        {
            foreach (var (list, items) in JsonNode.Parse(DocumentText.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Document!.Value.GetRawText())!.AsObject())
            {
                puts[list] = new JsonArray([.. (puts[list] as JsonArray ?? []).Concat(items!.AsArray()).Select(item => item!.DeepClone())]);
            }
        }

        return puts;
    }

    private static JsonObject Document(string name) => JsonNode.Parse(
        """
        {"backends":[{"name":"NAME","service":"NAME"}],
         "apis":[{"name":"NAME","version":"v1","basePath":"/NAME/v1","backend":"NAME",
           "operations":["GET /things",{"operationId":"add","method":"POST","path":"/things","policies":{"cost":4}}],
           "policies":{"timeouts":{"totalMilliseconds":9000},"degradation":{"alternateBackend":"NAME"}}}]}
        """.Replace("NAME", name, StringComparison.Ordinal))!.AsObject();

    private static IEnumerable<string> Actions(JsonObject changeset) => changeset["changes"]!.AsArray().Select(change => change!["action"]!.GetValue<string>());

    private static async Task<JsonObject> ApplyAsync(HttpClient admin, JsonObject puts, bool dryRun = false)
    {
        using var response = await admin.PostAsJsonAsync("/admin/v1/changesets", new { dryRun, puts });
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode} {text}");
        return JsonNode.Parse(text)!.AsObject();
    }
}
