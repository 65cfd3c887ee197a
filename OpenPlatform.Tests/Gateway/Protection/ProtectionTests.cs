using System.Net;
using System.Text;
using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Protection.Addresses;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Protection;

/// <summary>CORS, addresses, bodies and headers, through the gateway.</summary>
public sealed class ProtectionTests : IAsyncLifetime
{
    private const string Path = "/orders/v1/orders";
    private const string App = "https://app.example";

    private TestBackend _backend = null!;
    private TestCatalog? _catalog;
    private GatewayHost? _gateway;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _backend = await TestBackend.StartAsync(static async context =>
    {
        context.Response.Headers.AccessControlAllowOrigin = "https://backend.example";
        context.Response.Headers["X-Frame-Options"] = "SAMEORIGIN";
        context.Response.Headers["X-Powered-By"] = "backend";
        context.Response.Headers["X-List"] = "one";
        await context.Request.Body.CopyToAsync(context.Response.Body, context.RequestAborted);
    });

    public async ValueTask DisposeAsync()
    {
        await (_gateway?.DisposeAsync() ?? default);
        await (_catalog?.DisposeAsync() ?? default);
        await _backend.DisposeAsync();
    }

    [Theory]
    [InlineData(App, "POST", "content-type, X-Api-Key", 204)]
    [InlineData("https://a.b.shop.example", "GET", null, 204)]
    [InlineData("https://shop.example", "GET", null, 403)]
    [InlineData("https://evil-shop.example", "GET", null, 403)]
    [InlineData("https://evil.example/.shop.example", "GET", null, 403)]
    [InlineData("http://app.example", "GET", null, 403)]
    [InlineData("null", "GET", null, 403)]
    [InlineData(App, "POST", "x-admin", 403)]
    [InlineData(App, "DELETE", null, 405)]
    public async Task A_preflight_is_answered_without_a_key_and_never_forwarded(string origin, string method, string? headers, int status)
    {
        using var client = await StartAsync(new() { Cors = new([App, "https://*.shop.example"], MaxAgeSeconds: 60) }, key: null);
        using var request = new HttpRequestMessage(HttpMethod.Options, Path) { Headers = { { "Origin", origin }, { "Access-Control-Request-Method", method } } };
        if (headers is not null)
        {
            request.Headers.Add("Access-Control-Request-Headers", headers);
        }

        using var response = await client.SendAsync(request, Stop);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Empty(_backend.Requests);
        Assert.Equal(status == 204 ? [origin] : null, response.Headers.TryGetValues("Access-Control-Allow-Origin", out var allowed) ? allowed : null);
        if (status == 204)
        {
            Assert.Equal([method], response.Headers.GetValues("Access-Control-Allow-Methods"));
            Assert.Equal(["60"], response.Headers.GetValues("Access-Control-Max-Age"));
            Assert.Contains("Origin", string.Join(',', response.Headers.Vary), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Answers_and_refusals_are_readable_for_allowed_pages_only()
    {
        using var client = await StartAsync(new() { Cors = new([App], ExposedHeaders: ["X-Request-Id"], AllowCredentials: true) });
        foreach (var (origin, key, status) in new[] { (App, true, 200), (App, false, 401), ("https://other.example", true, 200) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Path) { Headers = { { "Origin", origin } } };
            using var anonymous = _gateway!.Client(key: null);
            using var response = await (key ? client : anonymous).SendAsync(request, Stop);
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal(origin == App ? [App] : null, response.Headers.TryGetValues("Access-Control-Allow-Origin", out var allowed) ? allowed : null);
            Assert.Equal(origin == App, response.Headers.Contains("Access-Control-Allow-Credentials"));
            Assert.Equal(["Origin"], response.Headers.Vary);
        }
    }

    [Theory]
    [InlineData("127.0.0.0/8", null, true)]
    [InlineData("10.0.0.0/8", null, false)]
    [InlineData(null, "127.0.0.1", false)]
    [InlineData("127.0.0.1", "127.0.0.0/8", false)]
    [InlineData("::/0", null, false)]
    [InlineData(null, "10.0.0.0/8", true)]
    public async Task Addresses_are_allowed_and_denied_for_an_API_and_for_an_application(string? allow, string? deny, bool admitted)
    {
        var policy = new AddressPolicy(allow is null ? null : [allow], deny is null ? null : [deny]);
        using var client = await StartAsync(new() { Addresses = policy });
        using var ofApi = await client.GetAsync(Path, Stop);
        Assert.Equal(admitted ? HttpStatusCode.OK : HttpStatusCode.Forbidden, ofApi.StatusCode);

        var snapshot = TestSnapshot.Create([_backend.Address], revision: 2);
        await PublishAsync(snapshot with { Applications = [.. snapshot.Applications.Select(a => a with { Addresses = policy })] });
        using var ofApplication = await client.GetAsync(Path, Stop);
        Assert.Equal(admitted ? HttpStatusCode.OK : HttpStatusCode.Forbidden, ofApplication.StatusCode);
    }

    [Fact]
    public void Address_sets_are_what_their_ranges_say()
    {
        var random = new Random(7);
        for (var round = 0; round < 200; round++)
        {
            var ranges = Enumerable.Range(0, random.Next(1, 8)).Select(_ => Range(random)).ToArray();
            var set = new AddressSet(ranges.Select(static r => r.ToString()));
            for (var i = 0; i < 50; i++)
            {
                var near = ranges[random.Next(ranges.Length)].BaseAddress.GetAddressBytes();
                near[random.Next(near.Length)] ^= (byte)(1 << random.Next(8));
                var address = new IPAddress(near);
                Assert.Equal(ranges.Any(r => r.Contains(address)), set.Contains(address));
            }
        }

    }

    [Fact]
    public void Looking_an_address_up_allocates_nothing()
    {
        var rule = AddressRule.Compile(new(["10.0.0.0/8", "2001:db8::/32"], ["10.1.0.0/16"]))!;
        IPAddress[] addresses = [IPAddress.Parse("10.2.3.4"), IPAddress.Parse("2001:db8::1")];
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                Assert.True(rule.Admits(addresses[i % 2]));
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        Assert.False(rule.Admits(IPAddress.Parse("10.1.2.3")));
    }

    [Theory]
    [InlineData("application/json", 10, null)]
    [InlineData("APPLICATION/JSON; charset=utf-8", 10, null)]
    [InlineData("image/png", 10, null)]
    [InlineData("text/plain", 10, "media-type-not-accepted")]
    [InlineData(null, 10, "media-type-not-accepted")]
    [InlineData("application/json", 101, "request-body-too-large")]
    [InlineData("application/json", 0, "body-required")]
    public async Task A_body_is_of_the_size_and_type_that_is_offered(string? type, int length, string? refusal)
    {
        using var client = await StartAsync(new() { Body = new(100, ["application/json", "image/*"], Required: true) });
        foreach (var chunked in length == 0 ? [false] : new[] { false, true })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, Path) { Content = new ByteArrayContent(new byte[length]) };
            request.Headers.TransferEncodingChunked = chunked;
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
            using var response = await client.SendAsync(request, Stop);
            Assert.Equal(refusal, await RefusalAsync(response));
        }
    }

    [Fact]
    public async Task A_body_that_does_not_match_the_schema_is_told_where()
    {
        var schema = JsonElement.Parse("""{"type":"object","required":["sku"],"properties":{"sku":{"type":"string"},"count":{"$ref":"#/components/schemas/Count"}}}""");
        using var client = await StartAsync(
            new() { Schemas = new Dictionary<string, JsonElement>(StringComparer.Ordinal) { ["Count"] = JsonElement.Parse("""{"type":"integer","minimum":1}""") } },
            operation: new() { RequestSchema = schema });
        using var right = await client.PostAsync(Path, Content("""{"sku":"a-1","count":2}"""), Stop);
        Assert.Equal("""{"sku":"a-1","count":2}""", await right.Content.ReadAsStringAsync(Stop));

        using var wrong = await client.PostAsync(Path, Content("""{"count":0}"""), Stop);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, wrong.StatusCode);
        var problem = JsonElement.Parse(await wrong.Content.ReadAsStringAsync(Stop));
        Assert.Equal("""[{"detail":"must have the property sku","pointer":"#"},{"detail":"must be at least 1","pointer":"#/count"}]""", problem.GetProperty("errors").GetRawText());

        foreach (var (body, refusal) in new[] { ("{", "body-not-matching"), ("""{"sku":"a","sku":1}""", "body-not-matching"), (new string('[', 70), "body-not-matching") })
        {
            using var response = await client.PostAsync(Path, Content(body), Stop);
            Assert.Equal(refusal, await RefusalAsync(response));
        }

        using var text = await client.PostAsync(Path, new StringContent("x"), Stop);
        Assert.Equal("media-type-not-accepted", await RefusalAsync(text));
        var zipped = Content("{}");
        zipped.Headers.ContentEncoding.Add("gzip");
        using var coded = await client.PostAsync(Path, zipped, Stop);
        Assert.Equal("media-type-not-accepted", await RefusalAsync(coded));
        using var large = await client.PostAsync(Path, Content($$"""{"sku":"{{new string('x', 1 << 20)}}"}"""), Stop);
        Assert.Equal("checked-body-too-large", await RefusalAsync(large));
    }

    [Fact]
    public async Task Header_rules_and_security_headers_are_applied_to_answers_and_refusals()
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal) { ["X-Zone"] = "eu" };
        using var client = await StartAsync(new()
        {
            Headers = new(new(["X-Debug"], map, new Dictionary<string, string>(StringComparer.Ordinal) { ["X-Hop"] = "gateway" }), new(["X-Powered-By"], map, new Dictionary<string, string>(StringComparer.Ordinal) { ["X-List"] = "two" })),
            SecurityHeaders = new(),
        });
        using var request = new HttpRequestMessage(HttpMethod.Get, Path) { Headers = { { "X-Debug", "1" }, { "X-Zone", "us" }, { "X-Hop", "client" } } };
        using var response = await client.SendAsync(request, Stop);
        var seen = Assert.Single(_backend.Requests).Headers;
        Assert.DoesNotContain("X-Debug", seen.Keys);
        Assert.Equal("eu", seen["X-Zone"]);
        Assert.Equal("client,gateway", seen["X-Hop"].Replace(" ", "", StringComparison.Ordinal));
        Assert.False(response.Headers.Contains("X-Powered-By"));
        Assert.Equal(["one", "two"], response.Headers.GetValues("X-List"));
        Assert.Equal(["SAMEORIGIN"], response.Headers.GetValues("X-Frame-Options"));

        using var anonymous = _gateway!.Client(key: null);
        using var refused = await anonymous.GetAsync(Path, Stop);
        Assert.Equal(["DENY"], refused.Headers.GetValues("X-Frame-Options"));
        Assert.Equal(["nosniff"], refused.Headers.GetValues("X-Content-Type-Options"));
        Assert.Equal(["eu"], refused.Headers.GetValues("X-Zone"));
        Assert.False(refused.Headers.Contains("Strict-Transport-Security"));
    }

    private async Task<HttpClient> StartAsync(ApiPolicies policies, string? key = TestSnapshot.Key, OperationPolicies? operation = null)
    {
        var snapshot = TestSnapshot.Create([_backend.Address]);
        var api = snapshot.Apis[0];
        _catalog = await TestCatalog.StartAsync(snapshot with
        {
            Apis = [api with { Policies = policies, Operations = [.. api.Operations.Select(o => o with { Policies = operation })] }, .. snapshot.Apis.Skip(1)],
        });
        _gateway = await GatewayHost.StartAsync(_catalog);
        return _gateway.Client(key);
    }

    private async Task PublishAsync(Snapshot snapshot)
    {
        _catalog!.Publish(snapshot);
        await Fixtures.Eventually.TrueAsync(() => _gateway!.Snapshot.Current!.Revision == snapshot.Revision);
    }

    private static StringContent Content(string json) => new(json, Encoding.UTF8, "application/json");

    /// <summary>The last part of the refusal's type; null when there is none.</summary>
    private static async Task<string?> RefusalAsync(HttpResponseMessage response) => response.IsSuccessStatusCode
        ? null
        : JsonElement.Parse(await response.Content.ReadAsStringAsync(Stop)).GetProperty("type").GetString()!.Split(':')[^1];

    private static IPNetwork Range(Random random)
    {
        var bytes = new byte[random.Next(2) == 0 ? 4 : 16];
        random.NextBytes(bytes);
        var length = random.Next((bytes.Length * 8) + 1);
        for (var bit = length; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return new(new(bytes), length);
    }
}
