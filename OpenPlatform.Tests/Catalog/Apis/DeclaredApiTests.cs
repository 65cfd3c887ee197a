using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Tests.Architecture;

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
        var puts = new JsonObject();
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "samples/orders-catalog"), "*.yaml").Order(StringComparer.Ordinal))
        {
            foreach (var (list, items) in JsonNode.Parse(DocumentText.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Document!.Value.GetRawText())!.AsObject())
            {
                puts[list] = new JsonArray([.. (puts[list] as JsonArray ?? []).Concat(items!.AsArray()).Select(item => item!.DeepClone())]);
            }
        }

        Assert.All(Actions(await ApplyAsync(admin, puts)), action => Assert.Equal("created", action));
        Assert.All(Actions(await ApplyAsync(admin, puts)), action => Assert.Equal("unchanged", action));
        var api = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.Name == "orders");
        Assert.Equal(["listOrders", "createOrder", "getOrder"], api.Operations.Select(operation => operation.OperationId));
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
