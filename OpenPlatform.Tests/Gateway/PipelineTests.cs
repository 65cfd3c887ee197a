using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

/// <summary>How a request ends, step by step.</summary>
public sealed class PipelineTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private TestBackend _backend = null!;
    private TestCatalog _catalog = null!;
    private GatewayHost _gateway = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _backend = await TestBackend.StartAsync();
        _catalog = await TestCatalog.StartAsync(TestSnapshot.Create([_backend.Address]));
        _gateway = await GatewayHost.StartAsync(_catalog, _time);
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Fact]
    public async Task A_keyed_call_reaches_the_backend_below_the_base_path()
    {
        using var client = _gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders/42?a=b%20c", Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("hello", await response.Content.ReadAsStringAsync(Stop));
        Assert.NotEmpty(response.Headers.GetValues("X-Request-Id"));

        var (method, path, headers) = Assert.Single(_backend.Requests);
        Assert.Equal("GET", method);
        Assert.Equal("/orders/42?a=b%20c", path);
        Assert.Equal("1.1 openplatform", headers["Via"]);
        Assert.Equal("127.0.0.1", headers["X-Forwarded-For"]);
        Assert.Equal("http", headers["X-Forwarded-Proto"]);
        Assert.Equal("/orders/v1", headers["X-Forwarded-Prefix"]);
        Assert.Equal(client.BaseAddress!.Authority, headers["X-Forwarded-Host"]);
        Assert.Equal($"for=127.0.0.1;proto=http;host=\"{client.BaseAddress.Authority}\"", headers["Forwarded"]);
        Assert.Equal(_backend.Address.Authority, headers["Host"]);
        Assert.Equal(response.Headers.GetValues("X-Request-Id").Single(), headers["X-Request-Id"]);
    }

    [Theory]
    [InlineData("X-Api-Key", TestSnapshot.Key)]
    [InlineData("Authorization", "Bearer " + TestSnapshot.Key)]
    [InlineData("Authorization", "bearer   " + TestSnapshot.Key)]
    public async Task A_key_is_taken_from_either_header_and_never_reaches_the_backend(string header, string value)
    {
        using var client = _gateway.Client(key: null);
        client.DefaultRequestHeaders.TryAddWithoutValidation(header, value);
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);

        var (_, path, headers) = Assert.Single(_backend.Requests);
        Assert.DoesNotContain(headers, h => h.Value.Contains(TestSnapshot.Key, StringComparison.Ordinal));
        Assert.DoesNotContain(TestSnapshot.Key, path, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_Authorization_that_is_not_the_key_goes_on_to_the_backend()
    {
        using var client = _gateway.Client();
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", "Basic dXNlcjpwYXNz");
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("Basic dXNlcjpwYXNz", Assert.Single(_backend.Requests).Headers["Authorization"]);
    }

    [Fact]
    public async Task What_a_client_says_about_its_origin_or_names_in_Connection_does_not_go_on()
    {
        // By hand: HttpClient adds to Connection.
        var address = _gateway.ClientOptions.BaseAddress;
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port, Stop);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"GET /orders/v1/orders HTTP/1.1\r\nHost: {address.Authority}\r\nX-Api-Key: {TestSnapshot.Key}\r\nX-Forwarded-For: 1.2.3.4\r\n"
            + "Forwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Secret-Hop: x\r\nConnection: X-Secret-Hop\r\n\r\n"), Stop);
        using var reader = new StreamReader(client.GetStream());
        Assert.StartsWith("HTTP/1.1 200", await reader.ReadLineAsync(Stop), StringComparison.Ordinal);
        var headers = Assert.Single(_backend.Requests).Headers;
        Assert.DoesNotContain(headers, static h => h.Value.Contains("1.2.3.4", StringComparison.Ordinal));
        Assert.DoesNotContain("X-Secret-Hop", headers.Keys);
    }

    [Theory]
    [InlineData(null, "missing-key")]
    [InlineData("nobody's key", "unknown-key")]
    [InlineData("", "missing-key")]
    public async Task Without_a_known_key_the_answer_is_401(string? key, string type)
    {
        using var client = _gateway.Client(key: null);
        if (key is not null)
        {
            client.DefaultRequestHeaders.TryAddWithoutValidation("X-Api-Key", key);
        }

        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        await AssertRefusedAsync(response, HttpStatusCode.Unauthorized, type);
        Assert.Equal("Bearer", Assert.Single(response.Headers.WwwAuthenticate).Scheme);
        Assert.Empty(_backend.Requests);
    }

    [Fact]
    public async Task Two_different_keys_are_401_and_the_same_one_twice_is_fine()
    {
        using var client = _gateway.Client();
        client.DefaultRequestHeaders.Authorization = new("Bearer", TestSnapshot.StrangerKey);
        using var different = await client.GetAsync("/orders/v1/orders", Stop);
        await AssertRefusedAsync(different, HttpStatusCode.Unauthorized, "conflicting-keys");

        client.DefaultRequestHeaders.Authorization = new("Bearer", TestSnapshot.Key);
        using var same = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.OK, same.StatusCode);
    }

    [Fact]
    public async Task A_key_counts_until_the_instant_it_expires()
    {
        using var client = _gateway.Client(TestSnapshot.ExpiringKey);
        _time.Advance(TestSnapshot.Expiry - _time.GetUtcNow() - TimeSpan.FromTicks(1));
        using var before = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.OK, before.StatusCode);

        _time.Advance(TimeSpan.FromTicks(1));
        using var after = await client.GetAsync("/orders/v1/orders", Stop);
        await AssertRefusedAsync(after, HttpStatusCode.Unauthorized, "expired-key");
    }

    [Theory]
    [InlineData(TestSnapshot.StrangerKey, "not-subscribed")]
    [InlineData(TestSnapshot.SuspendedKey, "application-suspended")]
    public async Task A_known_application_without_the_right_is_403(string key, string type)
    {
        using var client = _gateway.Client(key);
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        await AssertRefusedAsync(response, HttpStatusCode.Forbidden, type);
        Assert.Empty(_backend.Requests);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/nothing")]
    [InlineData("/orders/v1/unknown")]
    [InlineData("/orders/v1/orders/1/2")]
    [InlineData("/orders/v1/orders/")]
    [InlineData("/Orders/v1/orders")]
    [InlineData("/orders/v1x/orders")]
    public async Task An_unknown_path_is_404_even_without_a_key(string path)
    {
        using var client = _gateway.Client(key: null);
        using var response = await client.GetAsync(path, Stop);
        await AssertRefusedAsync(response, HttpStatusCode.NotFound, "unknown-path");
    }

    [Theory]
    [InlineData("/orders/v1/orders%2F1")]
    [InlineData("/orders/v1/orders/%252e%252e")]
    [InlineData("/orders/v1/orders/a%5Cb")]
    public async Task A_path_that_others_could_read_differently_is_400(string path)
    {
        using var client = _gateway.Client();
        using var response = await client.GetAsync(path, Stop);
        await AssertRefusedAsync(response, HttpStatusCode.BadRequest, "ambiguous-path");
        Assert.Empty(_backend.Requests);
    }

    [Fact]
    public async Task A_known_path_with_another_method_is_405_and_says_which_are_offered()
    {
        using var client = _gateway.Client();
        using var response = await client.DeleteAsync("/orders/v1/orders/1", Stop);
        await AssertRefusedAsync(response, HttpStatusCode.MethodNotAllowed, "method-not-allowed");
        Assert.Equal(["GET", "HEAD", "PUT"], response.Content.Headers.Allow.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task HEAD_is_answered_where_GET_is_offered()
    {
        using var client = _gateway.Client();
        using var request = new HttpRequestMessage(HttpMethod.Head, "/orders/v1/orders");
        using var response = await client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("HEAD", Assert.Single(_backend.Requests).Method);
    }

    [Fact]
    public async Task A_literal_segment_wins_over_a_parameter_and_the_longest_base_path_over_a_shorter_one()
    {
        using var client = _gateway.Client();
        using var get = await client.GetAsync("/orders/v1/orders/search", Stop);
        using var post = await client.PostAsync("/orders/v1/orders/search", new StringContent("{}"), Stop);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (get.StatusCode, post.StatusCode));

        using var root = await client.GetAsync("/orders/v1", Stop);
        using var rootSlash = await client.GetAsync("/orders/v1/", Stop);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (root.StatusCode, rootSlash.StatusCode));

        using var shorter = await client.GetAsync("/orders/v2/plain", Stop);
        await AssertRefusedAsync(shorter, HttpStatusCode.Forbidden, "not-subscribed"); // found, but of the other API
    }

    [Fact]
    public async Task A_request_id_is_accepted_when_well_formed_and_replaced_when_not()
    {
        using var client = _gateway.Client();
        client.DefaultRequestHeaders.TryAddWithoutValidation("X-Request-Id", "abc-123");
        using var accepted = await client.GetAsync("/nothing", Stop);
        Assert.Equal("abc-123", accepted.Headers.GetValues("X-Request-Id").Single());

        client.DefaultRequestHeaders.Remove("X-Request-Id");
        client.DefaultRequestHeaders.TryAddWithoutValidation("X-Request-Id", "\"}evil");
        using var replaced = await client.GetAsync("/nothing", Stop);
        Assert.DoesNotContain("evil", replaced.Headers.GetValues("X-Request-Id").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Health_is_no_part_of_the_pipeline()
    {
        using var client = _gateway.Client(key: null);
        using var health = await client.GetAsync("/health", Stop);
        using var alive = await client.GetAsync("/alive", Stop);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (health.StatusCode, alive.StatusCode));
    }

    [Fact]
    public async Task An_API_may_be_published_where_health_is()
    {
        var snapshot = TestSnapshot.Create([_backend.Address], revision: 2);
        _catalog.Publish(snapshot with { Apis = [snapshot.Apis[0] with { BasePath = "/health" }] });
        await Fixtures.Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);

        using var client = _gateway.Client();
        using var response = await client.GetAsync("/health", Stop);
        Assert.Equal("hello", await response.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task Over_the_limit_is_429_and_who_obeys_Retry_After_succeeds()
    {
        _catalog.Publish(TestSnapshot.Create([_backend.Address], revision: 2, limits: [new RateLimitModel(3, 60), new RateLimitModel(1000, 3600)]));
        await Fixtures.Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);

        using var client = _gateway.Client();
        for (var left = 2; left >= 0; left--)
        {
            using var allowed = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.OK, allowed.StatusCode);
            Assert.StartsWith($"\"3-per-60s\";r={left};t=", allowed.Headers.GetValues("RateLimit").Single(), StringComparison.Ordinal);
            Assert.Equal("\"3-per-60s\";q=3;w=60, \"1000-per-3600s\";q=1000;w=3600", string.Join(", ", allowed.Headers.GetValues("RateLimit-Policy")));
        }

        _time.Advance(TimeSpan.FromSeconds(5.5));
        using var refused = await client.GetAsync("/orders/v1/orders", Stop);
        await AssertRefusedAsync(refused, HttpStatusCode.TooManyRequests, "rate-limited");
        Assert.Equal(TimeSpan.FromSeconds(15), refused.Headers.RetryAfter?.Delta); // one comes back every 20 s, 14.5 s are left
        Assert.Equal("\"3-per-60s\";r=0;t=15", refused.Headers.GetValues("RateLimit").Single());

        _time.Advance(TimeSpan.FromSeconds(14));
        using var tooEarly = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.TooManyRequests, tooEarly.StatusCode);

        _time.Advance(TimeSpan.FromSeconds(1));
        using var obeyed = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.OK, obeyed.StatusCode);
        Assert.Equal(4, _backend.Requests.Count);
    }

    internal static async Task AssertRefusedAsync(HttpResponseMessage response, HttpStatusCode status, string type)
    {
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.ToString());
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Stop));
        Assert.Equal("urn:openplatform:refusal:" + type, problem.RootElement.GetProperty("type").GetString());
        Assert.Equal((int)status, problem.RootElement.GetProperty("status").GetInt32());
        Assert.Equal(response.Headers.GetValues("X-Request-Id").Single(), problem.RootElement.GetProperty("requestId").GetString());
    }
}
