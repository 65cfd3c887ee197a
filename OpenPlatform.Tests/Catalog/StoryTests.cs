using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Signing;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>The whole life of an API with everything real: what an operator and a partner do, one after the other, over HTTP.</summary>
public sealed class StoryTests(WholePlatform platform) : IClassFixture<WholePlatform>
{
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_API_is_published_subscribed_to_called_billed_deprecated_and_retired()
    {
        using var admin = await platform.OperatorAsync();

        // The enterprise publishes version 1, in front of instances that register themselves, and a plan that asks for signed requests.
        var backend = await admin.CreateAsync("backends", new { name = "orders", service = "orders" });
        var api = await admin.CreateAsync("apis", Of("v1", new() { ["name"] = "orders" }));
        var v1 = api["versions"]![0]!.Id();
        var plan = await admin.CreateAsync("plans", new { name = "partners", approvalRequired = true, schemes = new[] { "hmac" }, rateLimits = new[] { new { requests = 1_000, windowSeconds = 60 } } });

        // A partner joins: an application, a key to sign with, and the wish to use version 1.
        var organization = await admin.CreateAsync("organizations", new { name = "acme" });
        var application = await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "shop" });
        var credential = await admin.CreateAsync("credentials", new { applicationId = application.Id(), type = "hmac" });
        var subscription = await admin.CreateAsync("subscriptions", new { applicationId = application.Id(), versionId = v1, planId = plan.Id() });
        Assert.Equal("pending", subscription["state"]!.GetValue<string>());
        var partner = new Partner(platform.Gateway, credential["keyId"]!.GetValue<string>(), credential["secret"]!.GetValue<string>());

        // Nobody gets in before the approval, everybody after it. The instance is known by its lease.
        await UntilAsync(async () => (await partner.GetAsync("/orders/v1/orders")).StatusCode == HttpStatusCode.Forbidden);
        using var approved = await admin.ActAsync($"subscriptions/{subscription.Id()}:approve", "\"1\"");
        Assert.Equal(HttpStatusCode.OK, approved.StatusCode);
        var answered = 0;
        await UntilAsync(async () =>
        {
            using var response = await partner.GetAsync("/orders/v1/orders");
            answered += response.StatusCode == HttpStatusCode.OK ? 1 : 0;
            return answered == 10;
        });
        using (var unsigned = await new HttpClient { BaseAddress = platform.Gateway }.GetAsync("/orders/v1/orders", Stop))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, unsigned.StatusCode);
        }

        // What was answered is billed: exactly that.
        await UntilAsync(async () => await UnitsAsync(admin, $"application={application.Id()}&version={v1}&status=200") >= answered);
        Assert.Equal(answered, await UnitsAsync(admin, $"application={application.Id()}&version={v1}&status=200"));

        // Version 2 comes, version 1 says on every answer that it will end, and takes nobody new.
        using var published = await admin.ActAsync($"apis/{api.Id()}/versions", "*", Of("v2", []));
        var v2 = (await published.JsonAsync())["versions"]!.AsArray().Single(static version => version!["version"]!.GetValue<string>() == "v2")!.Id();
        using var deprecated = await admin.ActAsync($"apis/{api.Id()}/versions/{v1}:deprecate", "*", new { sunsetAt = "2999-01-01T00:00:00Z", successorId = v2 });
        Assert.Equal(HttpStatusCode.OK, deprecated.StatusCode);
        await UntilAsync(async () =>
        {
            using var response = await partner.GetAsync("/orders/v1/orders");
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            return response.Headers.Contains("Deprecation")
                && response.Headers.GetValues("Sunset").Single() == "Tue, 01 Jan 2999 00:00:00 GMT"
                && response.Headers.GetValues("Link").Any(static link => link == "</orders/v2>; rel=\"successor-version\"");
        });
        var other = await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "late" });
        using (var late = await admin.PostAsJsonAsync("/admin/v1/subscriptions", new { applicationId = other.Id(), versionId = v1, planId = plan.Id() }, Stop))
        {
            Assert.Equal(["/versionId"], await late.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }

        await UntilAsync(async () => JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/apis/{api.Id()}/versions/{v1}/callers", Stop))!["items"]!.AsArray()
            is [{ } caller] && caller["applicationId"]!.GetValue<string>() == application.Id());

        // It ends: 410, and where to go. The successor is another right.
        using var retired = await admin.ActAsync($"apis/{api.Id()}/versions/{v1}:retire", "*");
        Assert.Equal(HttpStatusCode.OK, retired.StatusCode);
        await UntilAsync(async () =>
        {
            using var response = await partner.GetAsync("/orders/v1/orders");
            return response.StatusCode == HttpStatusCode.Gone && (await response.JsonAsync())["successor"]!.GetValue<string>() == "/orders/v2";
        });
        var next = await admin.CreateAsync("subscriptions", new { applicationId = application.Id(), versionId = v2, planId = plan.Id() });
        using var again = await admin.ActAsync($"subscriptions/{next.Id()}:approve", "*");
        await UntilAsync(async () => (await partner.GetAsync("/orders/v2/orders")).StatusCode == HttpStatusCode.OK);

        JsonObject Of(string label, JsonObject version)
        {
            version["version"] = label;
            version["basePath"] = $"/orders/{label}";
            version["backendId"] = backend.Id();
            version["operations"] = new JsonArray(new JsonObject { ["operationId"] = "listOrders", ["method"] = "GET", ["pathTemplate"] = "/orders" });
            return version;
        }
    }

    [Fact]
    public async Task Instances_of_a_backend_are_listed_as_gateways_see_them()
    {
        using var admin = await platform.OperatorAsync();
        var backend = await admin.CreateAsync("backends", new { name = "listed", service = "orders", addresses = new[] { "http://127.0.0.1:9" } });
        var path = $"/admin/v1/backends/{backend.Id()}/instances";
        var second = await platform.AddInstanceAsync();

        // Two by their leases, one by the address of the backend.
        await UntilAsync(async () => (await ListAsync(path)).Count == 3);
        var instances = await ListAsync(path);
        Assert.Equal(instances.Select(Address).Order(StringComparer.Ordinal), instances.Select(Address));
        var lease = Assert.Single(instances, instance => Address(instance) == second.Address.GetLeftPart(UriPartial.Authority));
        Assert.Equal("lease", lease["source"]!.GetValue<string>());
        Assert.StartsWith("orders-", lease["id"]!.GetValue<string>(), StringComparison.Ordinal);
        var view = Assert.Single(lease["gateways"]!.AsArray())!;
        Assert.Contains(view["state"]!.GetValue<string>(), (string[])["ready", "ramping"]);
        Assert.Single(JsonNode.Parse(await admin.GetStringAsync("/admin/v1/gateways", Stop))!["items"]!.AsArray(), gateway => gateway!["id"]!.GetValue<string>() == view["gateway"]!.GetValue<string>());

        // Page by page it is the same.
        using var first = await admin.GetAsync(path + "?limit=2", Stop);
        Assert.Equal(2, (await first.JsonAsync())["items"]!.AsArray().Count);
        var link = first.Headers.GetValues("Link").Single();
        var rest = JsonNode.Parse(await admin.GetStringAsync(link[1..link.IndexOf('>', StringComparison.Ordinal)], Stop))!["items"]!.AsArray();
        Assert.Equal(Address(instances[2]), Address(Assert.Single(rest)!));

        // It leaves: it drains, and is gone.
        second.Terminate();
        await UntilAsync(async () => (await ListAsync(path)).All(instance => Address(instance) != second.Address.GetLeftPart(UriPartial.Authority)));

        using var unknown = await admin.GetAsync($"/admin/v1/backends/{Guid.NewGuid()}/instances", Stop);
        await unknown.ProblemAsync(HttpStatusCode.NotFound);

        static string Address(JsonNode instance) => instance["address"]!.GetValue<string>();
        async Task<List<JsonNode>> ListAsync(string from) => [.. JsonNode.Parse(await admin.GetStringAsync(from, Stop))!["items"]!.AsArray().Select(static item => item!)];
    }

    private static Task UntilAsync(Func<Task<bool>> condition) => Eventually.TrueAsync(condition, Slow);

    private static async Task<long> UnitsAsync(HttpClient admin, string filter) =>
        JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/usage?{filter}", Stop))!["totalUnits"]!.GetValue<long>();

    /// <summary>Signs each of its requests anew.</summary>
    private sealed class Partner(Uri gateway, string keyId, string secret)
    {
        private readonly HttpClient _client = new();

        public Task<HttpResponseMessage> GetAsync(string path)
        {
            var url = new Uri(gateway, path);
            var request = new HttpRequestMessage(HttpMethod.Get, url);
            foreach (var (name, value) in HmacSigner.Sign(RequestToSign.Of("GET", url, [], null), keyId, secret, TimeProvider.System.GetUtcNow().ToUnixTimeSeconds(), Guid.NewGuid().ToString("N")))
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }

            return _client.SendAsync(request, Stop);
        }
    }
}
