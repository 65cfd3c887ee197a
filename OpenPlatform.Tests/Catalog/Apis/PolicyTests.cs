using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Catalog.Apis;

/// <summary>Policies have one form from the request to the gateway, and what a gateway would refuse is refused at its place in the request.</summary>
public sealed class PolicyTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task Policies_reach_the_snapshot_and_the_answer_as_they_were_written()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var alternate = await new Parts(admin).NewAsync("backends");
        var policies = """
            {"timeouts":{"firstByteMilliseconds":2000},"cors":{"origins":["https://app.example"],"allowCredentials":true},
             "degradation":{"switched":false,"alternateBackendId":"ALTERNATE","stale":false},"schemas":{"Order":{"type":"object","required":["id"]}}}
            """;
        body["policies"] = JsonNode.Parse(policies.Replace("ALTERNATE", alternate, StringComparison.Ordinal));
        body["operations"]![0]!["policies"] = JsonNode.Parse("""{"cost":3,"requestSchema":{"$ref":"#/components/schemas/Order"}}""");

        var api = await admin.CreateAsync("apis", body);

        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.ApiId.ToString() == api.Id());
        Assert.Equal(2000, model.Policies!.Timeouts!.FirstByteMilliseconds);
        Assert.Equal(["https://app.example"], model.Policies.Cors!.Origins);
        Assert.Equal(Guid.Parse(alternate), model.Policies.Degradation!.AlternateBackendId);
        Assert.Equal(3, model.Operations[0].Policies!.Cost);
        Assert.Equal(JsonValueKind.Object, model.Operations[0].Policies!.RequestSchema!.Value.ValueKind);
        Assert.Null(model.Operations[1].Policies);
        var shown = api["versions"]![0]!;
        Assert.Equal("https://app.example", shown["policies"]!["cors"]!["origins"]![0]!.GetValue<string>());
        Assert.Equal(3, shown["operations"]![0]!["policies"]!["cost"]!.GetValue<int>());
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Scopes_and_examples_of_a_document_are_taken_where_the_publisher_asks_for_them(bool requireScopes, bool keepExamples)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        body.Remove("operations");
        (body["requireScopes"], body["keepExamples"]) = (requireScopes, keepExamples);
        body["openApi"] =
            """
            openapi: 3.1.0
            info: { title: Orders, version: "1.0" }
            paths:
              /orders:
                get:
                  operationId: listOrders
                  security: [ { token: [ "orders:read", "orders:all" ] } ]
                  responses: { "200": { description: All., content: { application/json: { example: [ { id: o-1 } ] } } } }
                post:
                  operationId: createOrder
                  responses: { "201": { description: Made. } }
            components:
              securitySchemes:
                token: { type: oauth2, flows: { clientCredentials: { tokenUrl: "https://id.example/token", scopes: { "orders:read": read, "orders:all": all } } } }
            """;

        var api = await admin.CreateAsync("apis", body);

        var operations = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.ApiId.ToString() == api.Id()).Operations;
        var (list, create) = (operations.Single(static o => o.OperationId == "listOrders").Policies, operations.Single(static o => o.OperationId == "createOrder").Policies);
        Assert.Equal(requireScopes ? ["orders:all", "orders:read"] : null, list?.Scopes);
        Assert.Null(create?.Scopes);
        Assert.Equal(keepExamples ? """200 application/json [{"id":"o-1"}]""" : null, list?.Example is { } example ? $"{example.Status} {example.ContentType} {example.Body}" : null);
        Assert.NotEqual(true, list?.Mock); // kept, not switched on

        // Of the next document as well, where it is asked for; otherwise they stay as they are.
        var next = body["openApi"]!.GetValue<string>().Replace(", \"orders:all\" ]", " ]", StringComparison.Ordinal).Replace("o-1", "o-2", StringComparison.Ordinal);
        using var put = new HttpRequestMessage(HttpMethod.Put, $"/admin/v1/apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}/document?requireScopes={requireScopes}&keepExamples={keepExamples}") { Content = new StringContent(next, null, "application/yaml") };
        put.Headers.TryAddWithoutValidation("If-Match", "*");
        using var done = await admin.SendAsync(put);
        Assert.True(done.IsSuccessStatusCode, await done.Content.ReadAsStringAsync());
        var later = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.ApiId.ToString() == api.Id()).Operations.Single(static o => o.OperationId == "listOrders").Policies;
        Assert.Equal(requireScopes ? ["orders:read"] : null, later?.Scopes);
        Assert.Equal(keepExamples ? """[{"id":"o-2"}]""" : null, later?.Example?.Body);
    }

    [Theory]
    [InlineData("""{"policies":{"tiemouts":{}}}""", "/policies/tiemouts")]
    [InlineData("""{"policies":{"cors":{}}}""", "/policies/cors")]
    [InlineData("""{"policies":{"cors":{"origins":[null]}}}""", "/policies/cors/origins/0")]
    [InlineData("""{"policies":{"retry":{"statuses":[500]}}}""", "/policies/retry/statuses/0")]
    [InlineData("""{"policies":{"degradation":{"alternateBackendId":"6e6c2b47-8f2b-4f61-b9d5-6c5a3d3c1a11"}}}""", "/policies/degradation/alternateBackendId")]
    [InlineData("""{"policies":{"split":{"variants":[{"name":"canary","backendId":"6e6c2b47-8f2b-4f61-b9d5-6c5a3d3c1a11"}]}}}""", "/policies/split/variants/0/backendId")]
    [InlineData("""{"operations":[{"operationId":"a","method":"GET","pathTemplate":"/a","policies":{"cost":0}}]}""", "/operations/0/policies/cost")]
    [InlineData("""{"operationPolicies":{"list":{"cost":5000}}}""", "/operationPolicies/list/cost")]
    [InlineData("""{"operationPolicies":{"nobody":{"cost":5}}}""", "/operationPolicies/nobody")]
    [InlineData("""{"policies":{"schemas":{"A":{"enum":["\u0000"]}}}}""", "")]
    public async Task A_wrong_policy_is_refused_at_its_place(string members, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        foreach (var (name, value) in JsonNode.Parse(members)!.AsObject())
        {
            body[name] = value?.DeepClone();
        }

        using var response = await admin.PostAsJsonAsync("/admin/v1/apis", body);

        Assert.Equal([pointer], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_backend_has_everything_that_gateways_know_of_one()
    {
        using var admin = fixture.Catalog.Operator();
        var backend = await admin.CreateAsync("backends", JsonNode.Parse(
            """
            {"name":"by-dns","protocol":"http2","balancing":{"algorithm":"consistent-hash","hashOn":"ip"},
             "health":{"active":{"path":"/health","intervalMs":1000},"panicPercent":10},"dns":{"name":"_http._tcp.orders.shop.svc","kind":"srv"}}
            """)!);

        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Backends, model => model.BackendId.ToString() == backend.Id());

        Assert.Equal("http2", model.Protocol);
        Assert.Equal(BalancingAlgorithm.ConsistentHash, model.Balancing!.Algorithm);
        Assert.Equal((1000, 10), (model.Health!.Active!.IntervalMs, model.Health.PanicPercent));
        Assert.Equal(new DnsModel("_http._tcp.orders.shop.svc", DnsKind.Srv), model.Dns);
        Assert.Equal("consistent-hash", backend["balancing"]!["algorithm"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("""{"protocol":"spdy"}""", "/protocol")]
    [InlineData("""{"balancing":{"algorithm":"best"}}""", "/balancing/algorithm")]
    [InlineData("""{"health":{"active":{"path":"/h","intervalMs":1}}}""", "/health/active/intervalMs")]
    [InlineData("""{"dns":{}}""", "/dns")]
    public async Task A_wrong_setting_of_a_backend_is_refused_at_its_place(string members, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var body = JsonNode.Parse(members)!.AsObject();
        (body["name"], body["service"]) = ("wrong", "wrong");
        using var response = await admin.PostAsJsonAsync("/admin/v1/backends", body);
        Assert.Equal([pointer], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }
}
