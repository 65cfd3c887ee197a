using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Whatever changes what is there needs its ETag: each endpoint that takes <see cref="IfMatch"/>, asked in a state and with a body that it would go through with.</summary>
public sealed class PreconditionTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    /// <summary>What an endpoint is asked for, by its name in the OpenAPI document. The test that finds all endpoints says when one is missing.</summary>
    private static readonly Dictionary<string, Func<Parts, HttpClient, Task<Target>>> Targets = new(StringComparer.Ordinal)
    {
        ["PatchBackend"] = async static (parts, _) => new(await parts.NewAsync("backends"), Body: """{"addresses":["http://10.0.0.9"]}"""),
        ["DeleteBackend"] = async static (parts, _) => new(await parts.NewAsync("backends")),
        ["PatchOrganization"] = async static (parts, _) => new(await parts.NewAsync("organizations"), Body: $$"""{"name":"renamed {{Guid.NewGuid()}}"}"""),
        ["DeleteOrganization"] = async static (parts, _) => new(await parts.NewAsync("organizations")),
        ["ChangePlan"] = async static (parts, _) => new(await parts.NewAsync("plans"), Body: """{"priority":2}"""),
        ["DeletePlan"] = async static (parts, _) => new(await parts.NewAsync("plans")),
        ["PublishPlan"] = async static (parts, admin) => new((await admin.CreateAsync("plans", With(await parts.BodyAsync("plans"), "state", "draft"))).Id()),
        ["RetirePlan"] = async static (parts, _) => new(await parts.NewAsync("plans")),
        ["ChangeApplication"] = async static (parts, _) => new(await parts.NewAsync("applications"), Body: """{"name":"renamed"}"""),
        ["DeleteApplication"] = async static (parts, _) => new(await parts.NewAsync("applications")),
        ["SuspendApplication"] = async static (parts, _) => new(await parts.NewAsync("applications")),
        ["ResumeApplication"] = async static (parts, admin) => new(await ActedAsync(admin, "applications", await parts.NewAsync("applications"), "suspend")),
        ["RotateCredential"] = async static (parts, _) => new(await parts.NewAsync("credentials"), Body: "{}"),
        ["RevokeCredential"] = async static (parts, _) => new(await parts.NewAsync("credentials")),
        ["ChangePlanOfSubscription"] = async static (parts, _) => new(await parts.NewAsync("subscriptions"), Body: $$"""{"planId":"{{await parts.NewAsync("plans")}}"}"""),
        ["ApproveSubscription"] = async static (parts, admin) => new(await PendingAsync(parts, admin)),
        ["RejectSubscription"] = async static (parts, admin) => new(await PendingAsync(parts, admin)),
        ["PauseSubscription"] = async static (parts, _) => new(await parts.NewAsync("subscriptions")),
        ["ResumeSubscription"] = async static (parts, admin) => new(await ActedAsync(admin, "subscriptions", await parts.NewAsync("subscriptions"), "pause")),
        ["CancelSubscription"] = async static (parts, _) => new(await parts.NewAsync("subscriptions")),
        ["UpdateWebhook"] = async static (_, admin) => new(await WebhookAsync(admin), Body: """{"url":"https://partner.example/other"}"""),
        ["DeleteWebhook"] = async static (_, admin) => new(await WebhookAsync(admin)),
        ["RotateWebhookSecret"] = async static (_, admin) => new(await WebhookAsync(admin), Body: "{}"),
        ["PatchAccount"] = async static (_, admin) => new(await AccountAsync(admin), Body: """{"disabled":true}"""),
        ["DeleteAccount"] = async static (_, admin) => new(await AccountAsync(admin)),
        ["SetPassword"] = async static (_, admin) => new(await AccountAsync(admin), Body: """{"password":"another password of the tests"}"""),
        ["RevokeToken"] = async static (_, admin) => new((await admin.CreateAsync("tokens", new { name = "a machine", roles = new[] { "auditor" } })).Id()),
        ["DeleteApi"] = async static (parts, admin) => await ApiAsync(parts, admin, draft: true),
        ["PublishVersion"] = async static (parts, admin) => (await ApiAsync(parts, admin)) is var api ? api with { Body = Content(api.Backend!, ("version", "v2"), ("basePath", $"/{api.Id}/v2")) } : null!,
        ["DeleteVersion"] = async static (parts, admin) => await WithDraftVersionAsync(admin, await ApiAsync(parts, admin)),
        ["PublishRevision"] = async static (parts, admin) => (await ApiAsync(parts, admin)) is var api ? api with { Body = Content(api.Backend!) } : null!,
        ["PublishDocument"] = async static (parts, admin) => await ApiAsync(parts, admin) with { Body = Document },
        ["ReplaceDraft"] = async static (parts, admin) => (await WithRevisionAsync(admin, await ApiAsync(parts, admin), draft: true)) is var api ? api with { Body = Content(api.Backend!) } : null!,
        ["DeleteDraft"] = async static (parts, admin) => await WithRevisionAsync(admin, await ApiAsync(parts, admin), draft: true),
        ["PublishDraft"] = async static (parts, admin) => await WithRevisionAsync(admin, await ApiAsync(parts, admin), draft: true),
        ["RollBackVersion"] = async static (parts, admin) => await WithRevisionAsync(admin, await ApiAsync(parts, admin), draft: false) with { Body = """{"revision":1}""" },
        ["DeprecateVersion"] = async static (parts, admin) => await ApiAsync(parts, admin) with { Body = "{}" },
        ["RetireVersion"] = async static (parts, admin) => await MovedAsync(admin, await ApiAsync(parts, admin), "deprecate", new { }),
        ["BlockVersion"] = async static (parts, admin) => await ApiAsync(parts, admin) with { Body = """{"reason":"an emergency"}""" },
        ["UnblockVersion"] = async static (parts, admin) => await MovedAsync(admin, await ApiAsync(parts, admin), "block", new { reason = "an emergency" }),
    };

    private const string Document =
        """{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/things":{"get":{"operationId":"list","responses":{"200":{"description":"d"}}}},"/things/{id}":{"get":{"operationId":"get","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"200":{"description":"d"}}}}}}""";

    public static TheoryData<string> Names() => [.. Targets.Keys];

    [Fact]
    public void Every_endpoint_that_takes_an_ETag_is_tried() => Assert.Equal(Endpoints().Keys.Order(StringComparer.Ordinal), Targets.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Without_the_ETag_it_is_428_with_a_stale_one_412_and_nothing_has_changed(string name)
    {
        using var admin = fixture.Catalog.Operator();
        var target = await Targets[name](new(admin), admin);
        var endpoint = Endpoints()[name];
        var path = "/" + endpoint.RoutePattern.RawText!.Trim('/').Replace("{id:guid}", target.Id, StringComparison.Ordinal)
            .Replace("{versionId:guid}", target.Version, StringComparison.Ordinal).Replace("{revision:int}", target.Revision.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        var resource = $"/admin/v1/{path.Split('/')[3]}/{target.Id}";
        using var read = await admin.GetAsync(resource, TestContext.Current.CancellationToken);
        var etag = read.Headers.ETag!.Tag;
        var count = int.Parse(etag.Trim('"'), CultureInfo.InvariantCulture);
        var before = await StateAsync(admin, resource);

        foreach (var (ifMatch, status) in new (string?, HttpStatusCode)[]
        {
            (null, HttpStatusCode.PreconditionRequired), ($"\"{count - 1}\"", HttpStatusCode.PreconditionFailed), ($"\"{count + 1}\"", HttpStatusCode.PreconditionFailed),
            ($"W/{etag}", HttpStatusCode.PreconditionFailed), // strong: what is only as good as the same is not the same
        })
        {
            using var refused = await SendAsync(admin, endpoint, path, target.Body, ifMatch);
            await refused.ProblemAsync(status);
            Assert.Equal(before, await StateAsync(admin, resource));
        }

        // It was the precondition and nothing else.
        using var done = await SendAsync(admin, endpoint, path, target.Body, $"\"{count + 1}\", {etag}");
        Assert.True(done.IsSuccessStatusCode, $"{(int)done.StatusCode} {await done.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}");
        Assert.NotEqual(before, await StateAsync(admin, resource));
    }

    /// <summary>The resource with its ETag, and the last entry of the audit, which leaves out no table of decisions.</summary>
    private static async Task<string> StateAsync(HttpClient admin, string resource)
    {
        using var read = await admin.GetAsync(resource);
        return $"{(int)read.StatusCode} {read.Headers.ETag} {await read.Content.ReadAsStringAsync()} {await admin.GetStringAsync("/admin/v1/audit?limit=1")}";
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient admin, RouteEndpoint endpoint, string path, string? body, string? ifMatch)
    {
        var method = endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods.Single();
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, method == "PATCH" ? MergePatch.MediaType : "application/json");
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        return await admin.SendAsync(request);
    }

    private Dictionary<string, RouteEndpoint> Endpoints()
    {
        using var started = fixture.Catalog.Anonymous();
        return fixture.Catalog.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(static endpoint => endpoint.Metadata.OfType<MethodInfo>().Any(static handler => handler.GetParameters().Any(static parameter => parameter.ParameterType == typeof(IfMatch))))
            .ToDictionary(static endpoint => endpoint.Metadata.GetRequiredMetadata<IEndpointNameMetadata>().EndpointName, StringComparer.Ordinal);
    }

    private static JsonObject With(JsonObject body, string member, JsonNode value)
    {
        body[member] = value;
        return body;
    }

    private static async Task<string> WebhookAsync(HttpClient admin) => (await admin.CreateAsync("webhooks", new { url = "https://partner.example/hook", active = false })).Id();

    private static async Task<string> AccountAsync(HttpClient admin) =>
        (await admin.CreateAsync("accounts", new { name = $"a-{Guid.NewGuid():N}", password = "a password of the tests", roles = new[] { "auditor" } })).Id();

    private static async Task<string> PendingAsync(Parts parts, HttpClient admin)
    {
        var body = await parts.BodyAsync("subscriptions");
        body["planId"] = (await admin.CreateAsync("plans", With(await parts.BodyAsync("plans"), "approvalRequired", true))).Id();
        return (await admin.CreateAsync("subscriptions", body)).Id();
    }

    private static async Task<string> ActedAsync(HttpClient admin, string collection, string id, string verb)
    {
        using var acted = await admin.ActAsync($"{collection}/{id}:{verb}", "*");
        Assert.True(acted.IsSuccessStatusCode, await acted.Content.ReadAsStringAsync());
        return id;
    }

    private static async Task<Target> ApiAsync(Parts parts, HttpClient admin, bool draft = false)
    {
        var body = With(await parts.BodyAsync("apis"), "draft", draft);
        var api = await admin.CreateAsync("apis", body);
        return new(api.Id(), api["versions"]![0]!.Id(), Backend: body["backendId"]!.GetValue<string>());
    }

    private static async Task<Target> WithDraftVersionAsync(HttpClient admin, Target api)
    {
        using var added = await admin.ActAsync($"apis/{api.Id}/versions", "*", JsonNode.Parse(Content(api.Backend!, ("version", "v2"), ("basePath", $"/{api.Id}/v2"), ("draft", true))));
        return api with { Version = (await added.JsonAsync())["versions"]![1]!.Id() };
    }

    private static async Task<Target> WithRevisionAsync(HttpClient admin, Target api, bool draft)
    {
        using var added = await admin.ActAsync($"apis/{api.Id}/versions/{api.Version}/revisions", "*", JsonNode.Parse(Content(api.Backend!, ("draft", draft))));
        Assert.True(added.IsSuccessStatusCode, await added.Content.ReadAsStringAsync());
        return api with { Revision = 2 };
    }

    private static async Task<Target> MovedAsync(HttpClient admin, Target api, string verb, object body)
    {
        using var moved = await admin.ActAsync($"apis/{api.Id}/versions/{api.Version}:{verb}", "*", body);
        Assert.True(moved.IsSuccessStatusCode, await moved.Content.ReadAsStringAsync());
        return api;
    }

    /// <summary>A revision with one operation more than that of <see cref="Parts"/>.</summary>
    private static string Content(string backend, params (string Name, JsonNode Value)[] more)
    {
        var content = new JsonObject
        {
            ["backendId"] = backend,
            ["operations"] = new JsonArray(
                new JsonObject { ["operationId"] = "list", ["method"] = "GET", ["pathTemplate"] = "/things" },
                new JsonObject { ["operationId"] = "get", ["method"] = "GET", ["pathTemplate"] = "/things/{id}" },
                new JsonObject { ["operationId"] = "add", ["method"] = "POST", ["pathTemplate"] = "/things" }),
        };
        foreach (var (name, value) in more)
        {
            content[name] = value;
        }

        return content.ToJsonString();
    }

    /// <param name="Id">Of the resource that has the ETag.</param>
    private sealed record Target(string Id, string? Version = null, int Revision = 1, string? Body = null, string? Backend = null);
}
