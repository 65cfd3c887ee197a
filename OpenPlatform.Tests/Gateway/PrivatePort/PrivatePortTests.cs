using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.PrivatePort;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.PrivatePort;

public sealed class PrivatePortTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_of_it_is_reachable_through_the_public_port()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        foreach (var path in new[] { "/explain", "/instances", "/snapshot", "/limits", "/readyz", "/livez" })
        {
            using var response = await client.GetAsync(path, Stop);
            await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.NotFound, "unknown-path");
        }

        using var alive = await client.GetAsync("/alive", Stop);
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
    }

    [Fact]
    public async Task Beyond_the_loopback_all_but_the_probes_ask_for_the_service_token()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")]));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:PrivatePort:Url", "http://0.0.0.0:0"));
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{Private(gateway).Port}") };
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "/livez"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "/readyz"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, "/snapshot"));
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "wrong");
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(client, "/explain"));
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestCatalog.Token);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "/snapshot"));

        // Without a token to ask for it does not start.
        var withoutToken = new PrivatePortOptionsValidator(new ConfigurationBuilder().Build()).Validate(null, new() { Url = "http://0.0.0.0:0" });
        Assert.Contains("OpenPlatform:Gateway:PrivatePort:Url", withoutToken.FailureMessage, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_alive_before_it_is_ready_and_not_ready_while_there_is_no_snapshot()
    {
        await using var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false);
        using var client = Client(gateway);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(client, "/livez"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(client, "/readyz"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await StatusAsync(client, "/startupz"));
    }

    [Fact]
    public async Task What_is_in_force_is_told_without_secrets()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(10, 60)]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = Client(gateway);
        using var caller = gateway.Client();
        using var answer = await caller.GetAsync("/orders/v1/orders", Stop);

        var snapshot = await JsonAsync(client, "/snapshot");
        Assert.Equal((1, 4, 64), (snapshot.GetProperty("revision").GetInt32(), snapshot.GetProperty("credentials").GetInt32(), snapshot.GetProperty("hash").GetString()!.Length));
        Assert.Equal("ready", (await JsonAsync(client, "/instances"))[0].GetProperty("state").GetString());
        var limits = await JsonAsync(client, "/limits");
        Assert.Equal(9, limits.GetProperty("limits")[0].GetProperty("left").GetInt32());
        foreach (var path in new[] { "/snapshot", "/instances", "/limits", "/explain" })
        {
            var text = await client.GetStringAsync(path, Stop);
            Assert.DoesNotContain(TestSnapshot.Key, text, StringComparison.Ordinal);
            Assert.DoesNotContain(TestSnapshot.Pepper, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_request_is_explained_step_by_step()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Observability:DecisionEvery", "1"));
        using var client = Client(gateway);
        using var caller = gateway.Client();
        caller.DefaultRequestHeaders.Add("X-Request-Id", "the-one");
        using var answer = await caller.GetAsync("/orders/v1/orders/7", Stop);

        await RecordedAsync(client, "the-one");
        var steps = (await JsonAsync(client, "/explain?id=the-one")).GetProperty("steps").EnumerateArray().ToDictionary(static s => s.GetProperty("step").GetString()!, static s => s, StringComparer.Ordinal);
        Assert.Equal("GET /orders/v1/orders/{id} (getOrder)", steps["route"].GetProperty("decision").GetString());
        Assert.Contains("instance http://", steps["forwarding"].GetProperty("decision").GetString(), StringComparison.Ordinal);
        Assert.Superset(new HashSet<string> { "request-context", "route", "authentication", "authorization", "rate-limit", "usage", "forwarding" }, steps.Keys.ToHashSet());
        Assert.All(steps.Values, static step => Assert.True(step.GetProperty("microseconds").GetDouble() >= 0));

        using var stranger = gateway.Client("nobody's");
        stranger.DefaultRequestHeaders.Add("X-Request-Id", "the-other");
        using var refused = await stranger.GetAsync("/orders/v1/orders/7", Stop);
        await RecordedAsync(client, "the-other");
        var explained = await JsonAsync(client, "/explain?id=the-other");
        Assert.Equal("unknown-key", explained.GetProperty("refusal").GetString());
        Assert.Equal("refused: unknown-key", explained.GetProperty("steps").EnumerateArray().Last().GetProperty("decision").GetString());
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(client, "/explain?id=unheard-of"));
    }

    /// <summary>Without a clock on the way of requests that pass: what was decided is known anyway, how long it took from the second refusal on a connection on.</summary>
    [Fact]
    public async Task A_refused_request_is_explained_whether_it_was_sampled_or_not()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(1, 3600)]));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Observability:DecisionEvery", "1000000"));
        using var client = Client(gateway);
        foreach (var (key, path, refusal, last) in (IEnumerable<(string?, string, string, string)>)
            [("nobody's", "/orders/v1/orders", "unknown-key", "authentication"), (null, "/nothing", "unknown-path", "route"), (TestSnapshot.Key, "/orders/v1/orders", "rate-limited", "rate-limit")])
        {
            using var caller = gateway.Client(key);
            using var first = await caller.GetAsync(path, Stop); // of the limit of one, the one
            using var refused = await caller.GetAsync(path, Stop);
            foreach (var isTimed in (bool[])[false, true])
            {
                var id = $"{refusal}-{isTimed}";
                using var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "X-Request-Id", id } } };
                using var another = gateway.Client(key);
                using var answer = await (isTimed ? caller : another).SendAsync(request, Stop);
                await RecordedAsync(client, id);
                var explained = await JsonAsync(client, $"/explain?id={id}");
                Assert.Equal(refusal, explained.GetProperty("refusal").GetString());
                var steps = explained.GetProperty("steps").EnumerateArray().ToList();
                Assert.Equal(["request-context", "framing", "route"], steps.Take(3).Select(static step => step.GetProperty("step").GetString()));
                Assert.Equal((last, $"refused: {refusal}"), (steps[^1].GetProperty("step").GetString(), steps[^1].GetProperty("decision").GetString()));
                Assert.All(steps, step => Assert.Equal(isTimed, step.TryGetProperty("microseconds", out _)));
            }
        }
    }

    [Fact]
    public async Task The_warm_up_leaves_nothing_to_be_seen()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Warmup:Requests", "60"));
        using var client = Client(gateway);
        foreach (var path in new[] { "/limits", "/instances", "/snapshot", "/explain" })
        {
            Assert.DoesNotContain("77617265-", await client.GetStringAsync(path, Stop), StringComparison.Ordinal);
            Assert.DoesNotContain("warm-up", await client.GetStringAsync(path, Stop), StringComparison.Ordinal);
        }

        Assert.Equal(0, (await JsonAsync(client, "/limits")).GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task A_described_request_is_explained_and_takes_nothing()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(2, 3600)]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = Client(gateway);
        client.DefaultRequestHeaders.Add("Explain-X-Api-Key", TestSnapshot.Key);
        for (var i = 0; i < 10; i++)
        {
            var allowed = await JsonAsync(client, "/explain?path=/orders/v1/orders");
            Assert.Equal(200, allowed.GetProperty("status").GetInt32());
            Assert.Equal("rate-limit", allowed.GetProperty("steps").EnumerateArray().Last().GetProperty("step").GetString());
        }

        Assert.Empty(backend.Requests);
        using var caller = gateway.Client();
        for (var i = 0; i < 2; i++)
        {
            using var answer = await caller.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        Assert.Equal("rate-limited", (await JsonAsync(client, "/explain?path=/orders/v1/orders")).GetProperty("refusal").GetString());
        Assert.Equal("method-not-allowed", (await JsonAsync(client, "/explain?method=delete&path=/orders/v1/orders")).GetProperty("refusal").GetString());
        Assert.Equal("unknown-path", (await JsonAsync(client, "/explain?path=/nothing")).GetProperty("refusal").GetString());
    }

    [Fact]
    public async Task A_described_signed_request_does_not_use_up_its_nonce()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Authentication.Signing.Snapshot(backend.Address));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: Authentication.Signing.Setting);
        using var request = Authentication.Signing.Hmac(HttpMethod.Get, "/orders/v1/orders", TimeProvider.System.GetUtcNow(), Authentication.Signing.Nonce());
        using var client = Client(gateway);
        foreach (var (name, values) in request.Headers)
        {
            client.DefaultRequestHeaders.TryAddWithoutValidation("Explain-" + name, values);
        }

        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await JsonAsync(client, "/explain?path=/orders/v1/orders")).GetProperty("status").GetInt32());
        }

        using var caller = gateway.Client(key: null);
        using var answer = await caller.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("replayed-request", (await JsonAsync(client, "/explain?path=/orders/v1/orders")).GetProperty("refusal").GetString());
    }

    private static Uri Private(GatewayHost gateway) => gateway.Services.GetRequiredService<PrivatePortHost>().Address!;

    private static HttpClient Client(GatewayHost gateway) => new() { BaseAddress = Private(gateway) };

    /// <summary>A caller may have its answer a moment before the gateway has written down how it came about.</summary>
    private static Task RecordedAsync(HttpClient client, string id) => Eventually.TrueAsync(async () => await StatusAsync(client, $"/explain?id={id}") == HttpStatusCode.OK);

    private static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(path, Stop);
        return response.StatusCode;
    }

    private static async Task<JsonElement> JsonAsync(HttpClient client, string path)
    {
        var text = await client.GetStringAsync(path, Stop);
        return JsonDocument.Parse(text).RootElement;
    }
}
