using System.Net;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>The platform's own signed form.</summary>
public sealed class HmacTests : IAsyncLifetime
{
    private const string Path = "/orders/v1/orders";
    private static readonly byte[] Body = """{"sku":"a-1"}"""u8.ToArray();

    private readonly ManualTime _time = new();
    private TestBackend _backend = null!;
    private TestCatalog _catalog = null!;
    private GatewayHost _gateway = null!;
    private HttpClient _client = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _backend = await TestBackend.StartAsync(static async context =>
        {
            await context.Request.Body.CopyToAsync(context.Response.Body, context.RequestAborted);
        });
        _catalog = await TestCatalog.StartAsync(Signing.Snapshot(_backend.Address));
        _gateway = await GatewayHost.StartAsync(_catalog, _time, settings: [Signing.Setting, ("OpenPlatform:Gateway:Protection:MaxCheckedBodyBytes", "65536")]);
        _client = _gateway.Client(key: null);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _gateway.DisposeAsync();
        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Fact]
    public async Task A_signed_call_passes_and_leaves_no_trace_of_its_signature()
    {
        using var request = Signing.Hmac(HttpMethod.Get, Path + "?b=2&a=1&b=1&%2C=x", _time.GetUtcNow(), Signing.Nonce(), signedHeaders: [("x-tenant", "blue, green"), ("accept", "*/*")]);
        await PassesAsync(request);

        var headers = Assert.Single(_backend.Requests).Headers;
        Assert.DoesNotContain(headers.Keys, static name => name.StartsWith("X-App-", StringComparison.OrdinalIgnoreCase));
        Assert.Equal("blue, green", headers["x-tenant"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_signed_body_arrives_as_it_was_sent(bool chunked)
    {
        var body = new byte[50_000];
        Random.Shared.NextBytes(body);
        using var request = Signing.Hmac(HttpMethod.Post, Path, _time.GetUtcNow(), Signing.Nonce(), body);
        request.Headers.TransferEncodingChunked = chunked;
        using var response = await _client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(body, await response.Content.ReadAsByteArrayAsync(Stop));
    }

    [Fact]
    public async Task Another_body_than_the_signed_one_is_refused()
    {
        using var request = Signing.Hmac(HttpMethod.Post, Path, _time.GetUtcNow(), Signing.Nonce(), Body);
        var digest = request.Content!.Headers.GetValues("Content-Digest").Single();
        request.Content = new ByteArrayContent([.. Body, (byte)' ']);
        request.Content.Headers.Add("Content-Digest", digest);
        await RefusedAsync(request, HttpStatusCode.BadRequest, "digest-mismatch");
        Assert.Empty(_backend.Requests);
    }

    [Fact]
    public async Task A_body_without_a_signed_digest_is_refused()
    {
        using var request = Signing.Hmac(HttpMethod.Post, Path, _time.GetUtcNow(), Signing.Nonce());
        request.Content = new ByteArrayContent(Body);
        await RefusedAsync(request, HttpStatusCode.Unauthorized, "incomplete-signature");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_signed_body_above_the_bound_is_413(bool chunked)
    {
        using var request = Signing.Hmac(HttpMethod.Post, Path, _time.GetUtcNow(), Signing.Nonce(), new byte[70_000]);
        request.Headers.TransferEncodingChunked = chunked;
        await RefusedAsync(request, HttpStatusCode.RequestEntityTooLarge, "checked-body-too-large");
    }

    [Theory]
    [InlineData(-300, null)]
    [InlineData(300, null)]
    [InlineData(-301, "untimely-signature")]
    [InlineData(301, "untimely-signature")]
    public async Task The_time_of_a_signature_may_be_five_minutes_off(int seconds, string? refusal)
    {
        using var request = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow().AddSeconds(seconds), Signing.Nonce());
        await (refusal is null ? PassesAsync(request) : RefusedAsync(request, HttpStatusCode.Unauthorized, refusal));
    }

    [Fact]
    public async Task A_nonce_counts_once()
    {
        var nonce = Signing.Nonce();
        using var first = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow(), nonce);
        await PassesAsync(first);
        using var again = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow(), nonce);
        await RefusedAsync(again, HttpStatusCode.Unauthorized, "replayed-request");
        _time.Advance(TimeSpan.FromMinutes(4.9));
        using var later = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow(), nonce);
        await RefusedAsync(later, HttpStatusCode.Unauthorized, "replayed-request");
    }

    /// <summary>Each change by itself makes the signature wrong, or is none that can be made.</summary>
    [Fact]
    public async Task Whatever_is_changed_after_signing_is_refused()
    {
        (string What, Action<HttpRequestMessage> Change)[] changes =
        [
            ("method", static r => r.Method = HttpMethod.Head),
            ("path", static r => r.RequestUri = new("/orders/v1/orders/42?b=2&a=1", UriKind.Relative)),
            ("query value", static r => r.RequestUri = new(Path + "?b=3&a=1", UriKind.Relative)),
            ("query added", static r => r.RequestUri = new(Path + "?b=2&a=1&c=", UriKind.Relative)),
            ("timestamp", r => Replace(r, "X-App-Timestamp", (_time.GetUtcNow().ToUnixTimeSeconds() + 1).ToString())),
            ("nonce", static r => Replace(r, "X-App-Nonce", Signing.Nonce())),
            ("signed header", static r => Replace(r, "x-tenant", "red")),
            ("list of signed headers", static r => Replace(r, "X-App-Signed-Headers", "accept")),
            ("order of signed headers", static r => Replace(r, "X-App-Signed-Headers", "x-tenant;accept")),
            ("digest", static r => r.Headers.TryAddWithoutValidation("Content-Digest", Signing.DigestOf([]))),
            ("signature", static r => Replace(r, "X-App-Signature", Convert.ToBase64String(new byte[32]))),
        ];
        foreach (var (what, change) in changes)
        {
            using var request = Signing.Hmac(HttpMethod.Get, Path + "?b=2&a=1", _time.GetUtcNow(), Signing.Nonce(), signedHeaders: [("x-tenant", "blue"), ("accept", "*/*")]);
            change(request);
            using var response = await _client.SendAsync(request, Stop);
            Assert.True(response.StatusCode == HttpStatusCode.Unauthorized, $"{what}: {response.StatusCode}");
            Assert.Contains("OpenPlatform-HMAC-SHA256", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        }

        Assert.Empty(_backend.Requests);
    }

    [Fact]
    public async Task Missing_and_malformed_parts_are_refused()
    {
        foreach (var (name, value) in new[]
        {
            ("X-App-Timestamp", ""), ("X-App-Timestamp", "now"), ("X-App-Timestamp", "-1"), ("X-App-Timestamp", "9999999999999"), ("X-App-Nonce", ""), ("X-App-Nonce", "short"),
            ("X-App-Nonce", "has a blank and more"), ("X-App-Nonce", new string('a', 65)), ("X-App-Signature", ""), ("X-App-Signature", "x"), ("X-App-Signature", new string('!', 44)),
        })
        {
            using var request = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow(), Signing.Nonce());
            Replace(request, name, value);
            await RefusedAsync(request, HttpStatusCode.Unauthorized, "malformed-signature");
        }

        using var unknown = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow(), Signing.Nonce(), keyId: "nobody");
        await RefusedAsync(unknown, HttpStatusCode.Unauthorized, "unknown-key");
        using var notHmac = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow(), Signing.Nonce(), keyId: Signing.EcKeyId);
        await RefusedAsync(notHmac, HttpStatusCode.Unauthorized, "unknown-key");
        using var wrongSecret = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow(), Signing.Nonce(), secret: Signing.Secret + "!");
        await RefusedAsync(wrongSecret, HttpStatusCode.Unauthorized, "wrong-signature");
    }

    [Fact]
    public async Task A_plan_for_signed_calls_accepts_no_API_key_and_says_what_it_accepts()
    {
        using var keyed = _gateway.Client();
        using var response = await keyed.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Contains("scheme-not-accepted", await response.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
        Assert.Equal(["OpenPlatform-HMAC-SHA256", "Signature"], response.Headers.WwwAuthenticate.Select(static c => c.Scheme));

        using var bare = await _client.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.Unauthorized, bare.StatusCode);
        Assert.Equal(["Bearer", "OpenPlatform-HMAC-SHA256", "Signature"], bare.Headers.WwwAuthenticate.Select(static c => c.Scheme));
    }

    [Fact]
    public async Task A_gateway_that_cannot_open_a_secret_keeps_the_snapshot_it_has()
    {
        var snapshot = Signing.Snapshot(_backend.Address, revision: 2);
        _catalog.Publish(snapshot with { SigningKeys = [snapshot.SigningKeys![0] with { CredentialId = Guid.NewGuid() }] });
        var fetches = _catalog.Fetches;
        await Fixtures.Eventually.TrueAsync(() => _catalog.Fetches > fetches + 2);
        Assert.Equal(1, _gateway.Snapshot.Current!.Revision);
        using var request = Signing.Hmac(HttpMethod.Get, Path, _time.GetUtcNow(), Signing.Nonce());
        await PassesAsync(request);
    }

    internal static void Replace(HttpRequestMessage request, string name, string value)
    {
        request.Headers.Remove(name);
        if (value.Length > 0)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
    }

    private async Task PassesAsync(HttpRequestMessage request)
    {
        using var response = await _client.SendAsync(request, Stop);
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{response.StatusCode} {await response.Content.ReadAsStringAsync(Stop)}");
    }

    private async Task RefusedAsync(HttpRequestMessage request, HttpStatusCode status, string type)
    {
        using var response = await _client.SendAsync(request, Stop);
        var text = await response.Content.ReadAsStringAsync(Stop);
        Assert.True(response.StatusCode == status && text.Contains($"urn:openplatform:refusal:{type}\"", StringComparison.Ordinal), $"{type}: {response.StatusCode} {text}");
    }
}
