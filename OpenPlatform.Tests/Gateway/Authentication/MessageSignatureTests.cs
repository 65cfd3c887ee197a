using System.Net;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>HTTP message signatures (RFC 9421) through the gateway.</summary>
public sealed class MessageSignatureTests : IAsyncLifetime
{
    private const string Path = "/orders/v1/orders";
    private static readonly byte[] Body = """{"sku":"a-1"}"""u8.ToArray();

    private readonly ManualTime _time = new();
    private TestBackend _backend = null!;
    private TestCatalog _catalog = null!;
    private GatewayHost _gateway = null!;
    private HttpClient _client = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Created => $";created={_time.GetUtcNow().ToUnixTimeSeconds()}";

    public async ValueTask InitializeAsync()
    {
        _backend = await TestBackend.StartAsync(static context => context.Request.Body.CopyToAsync(context.Response.Body, context.RequestAborted));
        _catalog = await TestCatalog.StartAsync(Signing.Snapshot(_backend.Address));
        _gateway = await GatewayHost.StartAsync(_catalog, _time, settings: [Signing.Setting]);
        _client = _gateway.Client(key: null);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _gateway.DisposeAsync();
        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Theory]
    [InlineData(Signing.HmacKeyId)]
    [InlineData(Signing.EcKeyId)]
    [InlineData(Signing.RsaKeyId)]
    public async Task A_signed_call_passes_with_each_algorithm(string keyId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Path + "?a=b%20c") { Content = new ByteArrayContent(Body) };
        request.Content.Headers.Add("Content-Digest", Signing.DigestOf(Body));
        Signing.Sign(request, keyId, Created + ";nonce=\"n-1\"",
            ("@method", "POST"), ("@authority", _client.BaseAddress!.Authority), ("@path", Path), ("@query", "?a=b%20c"), ("content-digest", Signing.DigestOf(Body)));
        using var response = await _client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Body, await response.Content.ReadAsByteArrayAsync(Stop));
        Assert.DoesNotContain(Assert.Single(_backend.Requests).Headers.Keys, static name => name.StartsWith("Signature", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task The_target_can_be_covered_in_one_piece()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Path + "?x=1");
        Signing.Sign(request, Signing.EcKeyId, Created, ("@method", "GET"), ("@target-uri", new Uri(_client.BaseAddress!, Path + "?x=1").AbsoluteUri));
        Assert.Equal("", await RefusalAsync(request));
    }

    [Fact]
    public async Task A_signature_that_covers_too_little_is_refused()
    {
        (string Parameters, (string, string)[] Covered)[] cases =
        [
            (Created, []),
            (Created, [("@method", "GET")]),
            (Created, [("@path", Path), ("@query", "?x=1")]),
            (Created, [("@method", "GET"), ("@path", Path)]),
            ("", [("@method", "GET"), ("@path", Path), ("@query", "?x=1")]),
        ];
        foreach (var (parameters, covered) in cases)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Path + "?x=1");
            Signing.Sign(request, Signing.EcKeyId, parameters, covered);
            Assert.Equal("incomplete-signature", await RefusalAsync(request));
        }

        using var body = new HttpRequestMessage(HttpMethod.Post, Path) { Content = new ByteArrayContent(Body) };
        body.Content.Headers.Add("Content-Digest", Signing.DigestOf(Body));
        Signing.Sign(body, Signing.EcKeyId, Created, ("@method", "POST"), ("@path", Path));
        Assert.Equal("incomplete-signature", await RefusalAsync(body));
    }

    [Fact]
    public async Task Time_expiry_algorithm_and_nonce_are_held_to()
    {
        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        (string Parameters, string Refusal)[] cases =
        [
            ($";created={now - 301}", "untimely-signature"),
            ($";created={now + 301}", "untimely-signature"),
            ($";created={now};expires={now}", "untimely-signature"),
            ($";created={now};expires={now + 1}", ""),
            ($";created={now};alg=\"ecdsa-p256-sha256\"", ""),
            ($";created={now};alg=\"hmac-sha256\"", "wrong-signature"),
            ($";created={now};nonce=\"once\"", ""),
            ($";created={now};nonce=\"once\"", "replayed-request"),
            (";created=\"now\"", "incomplete-signature"),
        ];
        foreach (var (parameters, refusal) in cases)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Path);
            Signing.Sign(request, Signing.EcKeyId, parameters, ("@method", "GET"), ("@path", Path));
            Assert.Equal(refusal, await RefusalAsync(request));
        }

        _time.Advance(TestSnapshot.Expiry - _time.GetUtcNow());
        using var late = new HttpRequestMessage(HttpMethod.Get, Path);
        Signing.Sign(late, Signing.EcKeyId, Created, ("@method", "GET"), ("@path", Path));
        Assert.Equal("expired-key", await RefusalAsync(late));
    }

    [Fact]
    public async Task What_is_not_what_was_signed_is_refused()
    {
        using var header = new HttpRequestMessage(HttpMethod.Get, Path) { Headers = { { "X-Tenant", "red" } } };
        Signing.Sign(header, Signing.EcKeyId, Created, ("@method", "GET"), ("@path", Path), ("x-tenant", "blue"));
        Assert.Equal("wrong-signature", await RefusalAsync(header));

        using var absent = new HttpRequestMessage(HttpMethod.Get, Path);
        Signing.Sign(absent, Signing.EcKeyId, Created, ("@method", "GET"), ("@path", Path), ("x-tenant", ""));
        Assert.Equal("wrong-signature", await RefusalAsync(absent));

        using var twice = new HttpRequestMessage(HttpMethod.Get, Path);
        Signing.Sign(twice, Signing.EcKeyId, Created, ("@method", "GET"), ("@path", Path), ("@path", Path));
        Assert.Equal("wrong-signature", await RefusalAsync(twice));

        using var otherKey = new HttpRequestMessage(HttpMethod.Get, Path);
        Signing.Sign(otherKey, "nobody", Created, ("@method", "GET"), ("@path", Path));
        Assert.Equal("unknown-key", await RefusalAsync(otherKey));

        // A public key is no secret: what is signed with it as one must not pass.
        using var confused = new HttpRequestMessage(HttpMethod.Get, Path);
        Signing.Sign(confused, Signing.HmacKeyId, Created, ("@method", "GET"), ("@path", Path));
        var input = confused.Headers.GetValues("Signature-Input").Single();
        HmacTests.Replace(confused, "Signature-Input", input.Replace(Signing.HmacKeyId, Signing.RsaKeyId, StringComparison.Ordinal));
        Assert.Equal("wrong-signature", await RefusalAsync(confused));
    }

    [Fact]
    public async Task Malformed_fields_are_refused_with_the_parts_a_signature_needs()
    {
        foreach (var (input, signature) in new[]
        {
            ("sig1", "sig1=:AA==:"), ("sig1=()", "sig1=:AA==:"), ("sig1=(\"@method\"", "sig1=:AA==:"), ("sig1=(\"@method\");keyid=\"partner-ec\"", "sig2=:AA==:"),
            ("sig1=(\"@method\");keyid=\"partner-ec\"", ""), ("sig1=(\"@method\");keyid=partner-ec", "sig1=:AA==:"), ("=", "="),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Path);
            HmacTests.Replace(request, "Signature-Input", input);
            HmacTests.Replace(request, "Signature", signature);
            using var response = await _client.SendAsync(request, Stop);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.Contains("malformed-signature", await response.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
            Assert.Equal("Signature", Assert.Single(response.Headers.WwwAuthenticate).Scheme);
            Assert.NotEmpty(response.Headers.GetValues("Accept-Signature"));
        }
    }

    /// <summary>The last part of the refusal's type; empty when there is none.</summary>
    private async Task<string> RefusalAsync(HttpRequestMessage request)
    {
        using var response = await _client.SendAsync(request, Stop);
        if (response.IsSuccessStatusCode)
        {
            return string.Empty;
        }

        var text = await response.Content.ReadAsStringAsync(Stop);
        return System.Text.Json.JsonDocument.Parse(text).RootElement.GetProperty("type").GetString()!.Split(':')[^1];
    }
}
