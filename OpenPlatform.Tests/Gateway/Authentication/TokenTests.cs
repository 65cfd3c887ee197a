using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication.Tokens;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>JWT access tokens of an issuer with a real JWKS address.</summary>
public sealed class TokenTests : IAsyncLifetime
{
    private const string Path = "/orders/v1/orders";
    private const string Issuer = "https://issuer.example/";
    private const string Audience = "https://api.example/";

    private readonly ManualTime _time = new();
    private readonly ECDsa _ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _next = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly RSA _rsa = RSA.Create(2048);
    private volatile string _jwks = "";
    private volatile int _status = 200;
    private StubServer _issuer = null!;
    private TestBackend _backend = null!;
    private TestCatalog _catalog = null!;
    private GatewayHost _gateway = null!;
    private HttpClient _client = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _jwks = JwksOf(Jwk("ec", _ec), Jwk("rsa", _rsa));
        _issuer = await StubServer.StartAsync(context =>
        {
            context.Response.StatusCode = _status;
            return context.Response.WriteAsync(_jwks);
        });
        _backend = await TestBackend.StartAsync();
        _catalog = await TestCatalog.StartAsync(Snapshot());
        _gateway = await StartAsync();
        _client = _gateway.Client(key: null);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _gateway.DisposeAsync();
        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
        await _issuer.DisposeAsync();
    }

    [Theory]
    [InlineData("ES256", "ec")]
    [InlineData("RS256", "rsa")]
    [InlineData("PS256", "rsa")]
    public async Task A_token_of_each_algorithm_passes_and_goes_no_further(string algorithm, string kid)
    {
        Assert.Equal("", await CallAsync(Token(algorithm, kid)));
        Assert.DoesNotContain("Authorization", Assert.Single(_backend.Requests).Headers.Keys);
    }

    /// <summary>Each of these has ended in a break-in somewhere.</summary>
    [Fact]
    public async Task A_token_that_is_not_exactly_right_is_refused()
    {
        var right = Token("ES256", "ec").Split('.');
        (string What, string Token)[] tokens =
        [
            ("none", Token("none", "ec")),
            ("none in other letters", Token("NoNe", "ec")),
            ("no signature", $"{right[0]}.{right[1]}."),
            ("HMAC with the public key", Token("HS256", "rsa")),
            ("algorithm of another key", Token("RS256", "rsa", header: h => h["kid"] = "ec")),
            ("another key", Token("ES256", "ec", signer: _next)),
            ("not an access token", Token("ES256", "ec", header: static h => h["typ"] = "JWT")),
            ("no type", Token("ES256", "ec", header: static h => h.Remove("typ"))),
            ("critical extension", Token("ES256", "ec", header: static h => h["crit"] = new[] { "b64" })),
            ("no key id and two keys", Token("ES256", "ec", header: static h => h.Remove("kid"))),
            ("key id that is no text", Token("ES256", "ec", header: static h => h["kid"] = 1)),
            ("another issuer", Token("ES256", "ec", claims: static c => c["iss"] = "https://issuer.example")),
            ("another audience", Token("ES256", "ec", claims: static c => c["aud"] = "https://other.example/")),
            ("no audience", Token("ES256", "ec", claims: static c => c.Remove("aud"))),
            ("no expiry", Token("ES256", "ec", claims: static c => c.Remove("exp"))),
            ("expiry that is no number", Token("ES256", "ec", claims: static c => c["exp"] = "never")),
            ("not yet", Token("ES256", "ec", claims: c => c["nbf"] = _time.GetUtcNow().ToUnixTimeSeconds() + 31)),
            ("issued in the future", Token("ES256", "ec", claims: c => c["iat"] = _time.GetUtcNow().ToUnixTimeSeconds() + 31)),
            ("unknown application", Token("ES256", "ec", claims: static c => c["client_id"] = "stranger")),
            ("no application", Token("ES256", "ec", claims: static c => c.Remove("client_id"))),
            ("claims changed", $"{right[0]}.{Encode("""{"iss":"x"}""")}.{right[2]}"),
            ("a claim twice", Resigned(right[0], """{"iss":"https://issuer.example/","iss":"https://issuer.example/"}""")),
            ("not JSON", Resigned(right[0], "{")),
            ("an array", Resigned(right[0], "[]")),
            ("too deep", Resigned(right[0], new string('[', 100) + new string(']', 100))),
            ("too long", Token("ES256", "ec", claims: static c => c["x"] = new string('x', 9000))),
        ];
        foreach (var (what, token) in tokens)
        {
            var refusal = await CallAsync(token);
            Assert.True(refusal is "invalid-token" or "unknown-key", $"{what}: {refusal}");
        }

        Assert.Empty(_backend.Requests);
    }

    [Fact]
    public async Task A_token_counts_until_it_expires_also_when_it_is_remembered()
    {
        var token = Token("ES256", "ec", claims: c => c["exp"] = _time.GetUtcNow().ToUnixTimeSeconds() + 60);
        Assert.Equal("", await CallAsync(token));
        _time.Advance(TimeSpan.FromSeconds(60 + 29));
        Assert.Equal("", await CallAsync(token));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("expired-token", await CallAsync(token));
    }

    /// <summary>It may say a later end itself: the credential was rotated since. Remembered or not, and without anything added for clocks that differ.</summary>
    [Fact]
    public async Task A_token_ends_with_the_credential_it_was_got_with()
    {
        var credential = Guid.NewGuid();
        var remembered = Token("ES256", "ec", claims: c => c["cred"] = credential);
        var other = Token("ES256", "ec", claims: static c => c["cred"] = Guid.NewGuid());
        var cut = Token("ES256", "ec", claims: c => (c["exp"], c["cred_exp"]) = (_time.GetUtcNow().ToUnixTimeSeconds() + 20, _time.GetUtcNow().ToUnixTimeSeconds() + 20));
        Assert.Equal("", await CallAsync(remembered));
        var end = _time.GetUtcNow().AddSeconds(20);
        _catalog.Publish(Snapshot(2, issuer => issuer with { Ending = new Dictionary<Guid, DateTimeOffset> { [credential] = end } }));
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);

        _time.Advance(end - _time.GetUtcNow() - TimeSpan.FromSeconds(1.1));
        foreach (var token in new[] { remembered, other, cut })
        {
            Assert.Equal("", await CallAsync(token));
        }

        _time.Advance(end - _time.GetUtcNow());
        Assert.Equal("expired-token", await CallAsync(remembered));
        Assert.Equal("expired-token", await CallAsync(cut));
        Assert.Equal("expired-token", await CallAsync(Token("ES256", "ec", claims: c => c["cred"] = credential)));
        Assert.Equal("", await CallAsync(other));
    }

    [Fact]
    public async Task Lists_of_audiences_and_an_application_named_by_its_id_count()
    {
        Assert.Equal("", await CallAsync(Token("ES256", "ec", claims: static c => c["aud"] = new[] { "x", Audience })));
        _catalog.Publish(Snapshot(2, static issuer => issuer with { Applications = null, ApplicationClaim = "azp" }));
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);
        Assert.Equal("", await CallAsync(Token("ES256", "ec", claims: static c => c["azp"] = TestSnapshot.Subscriber.ToString())));
    }

    [Fact]
    public async Task A_new_key_is_fetched_at_first_sight_once_for_all_and_not_again_within_the_back_off()
    {
        Assert.Equal("", await CallAsync(Token("ES256", "ec")));
        var before = _issuer.Requests;
        _jwks = JwksOf(Jwk("ec", _ec), Jwk("next", _next));
        Assert.Equal("invalid-token", await CallAsync(Token("ES256", "next", signer: _next)));
        Assert.Equal(before, _issuer.Requests);
        _time.Advance(TimeSpan.FromSeconds(10));
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => CallAsync(Token("ES256", "next", signer: _next))));
        Assert.All(answers, static refusal => Assert.Equal("", refusal));
        Assert.Equal(before + 1, _issuer.Requests);

        foreach (var _ in Enumerable.Range(0, 10))
        {
            Assert.Equal("invalid-token", await CallAsync(Token("ES256", Guid.NewGuid().ToString(), signer: _next)));
        }

        Assert.Equal(before + 1, _issuer.Requests);
    }

    [Fact]
    public async Task Keys_outlive_the_issuer_also_in_a_gateway_that_starts_meanwhile()
    {
        Assert.Equal("", await CallAsync(Token("ES256", "ec")));
        var keys = _gateway.Snapshot.Current!.Identity!.Issuers[Issuer].Keys;
        foreach (var answer in new[] { (503, ""), (200, "{\"keys\":[]}"), (200, "nonsense") })
        {
            (_status, _jwks) = answer;
            await keys.RefreshAsync();
            Assert.Equal(2, keys.Current.Count);
            Assert.Equal("", await CallAsync(Token("ES256", "ec")));
        }

        await using var second = await StartAsync(_gateway.StateDirectory);
        using var client = second.Client(key: null);
        client.DefaultRequestHeaders.Authorization = new("Bearer", Token("ES256", "ec"));
        using var response = await client.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Keys_that_never_came_are_the_platforms_fault()
    {
        _status = 503;
        await using var gateway = await StartAsync();
        using var client = gateway.Client(key: null);
        client.DefaultRequestHeaders.Authorization = new("Bearer", Token("ES256", "ec"));
        using var response = await client.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
    }

    /// <summary>The platform's own issuer: its keys come with the snapshot, so nothing is fetched and a rotation is a change like any other.</summary>
    [Fact]
    public async Task Keys_that_come_with_the_snapshot_are_rotated_by_it_and_never_fetched()
    {
        IssuerModel Inline(IssuerModel issuer, params JwkModel[] keys) => issuer with { Algorithms = ["ES256"], JwksUri = null, Keys = keys, Applications = null };
        static JwkModel Key(string kid, ECDsa key)
        {
            var q = key.ExportParameters(false).Q;
            return new(kid, "EC", "ES256", "P-256", Base64Url.EncodeToString(q.X), Base64Url.EncodeToString(q.Y));
        }

        string Own(string kid, ECDsa signer) => Token("ES256", kid, signer, claims: static c => c["client_id"] = TestSnapshot.Subscriber.ToString());
        async Task PublishAsync(Snapshot snapshot)
        {
            _catalog.Publish(snapshot);
            await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == snapshot.Revision);
        }

        await PublishAsync(Snapshot(2, issuer => Inline(issuer, Key("first", _ec))));
        var fetched = _issuer.Requests;
        Assert.Equal("", await CallAsync(Own("first", _ec)));
        Assert.Equal("invalid-token", await CallAsync(Own("second", _next)));

        // Published before it signs, gone after its last token.
        await PublishAsync(Snapshot(3, issuer => Inline(issuer, Key("first", _ec), Key("second", _next))));
        var old = Own("first", _ec);
        Assert.Equal("", await CallAsync(old));
        Assert.Equal("", await CallAsync(Own("second", _next)));
        await PublishAsync(Snapshot(4, issuer => Inline(issuer, Key("second", _next))));
        Assert.Equal("invalid-token", await CallAsync(old));
        Assert.Equal("invalid-token", await CallAsync(Token("ES256", "second", _next, claims: static c => c["client_id"] = Guid.NewGuid().ToString())));

        // From disk, with the catalog away.
        await _catalog.DisposeAsync();
        await using var second = await StartAsync(_gateway.StateDirectory);
        using var client = second.Client(key: null);
        client.DefaultRequestHeaders.Authorization = new("Bearer", Own("second", _next));
        using var response = await client.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(fetched, _issuer.Requests);
    }

    [Fact]
    public async Task A_token_grants_its_scopes_as_far_as_the_plan_does()
    {
        _catalog.Publish(Scoped(2, null));
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);
        foreach (var (scope, granted) in new (object?, bool)[] { ("orders:read", true), ("a  orders:read b", true), ("orders:reading", false), ("", false), (null, false), (new[] { "orders:read" }, false) })
        {
            var token = Token("ES256", "ec", claims: c => c["scope"] = scope!);
            for (var remembered = 0; remembered < 2; remembered++)
            {
                Assert.Equal(granted ? "" : "insufficient-scope", await CallAsync(token));
            }
        }

        // A token for all that its application may do elsewhere does not widen the plan here.
        _catalog.Publish(Scoped(3, ["orders:write"]));
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 3);
        Assert.Equal("insufficient-scope", await CallAsync(Token("ES256", "ec", claims: static c => c["scope"] = "orders:read orders:write")));

        Snapshot Scoped(long revision, IReadOnlyList<string>? plan)
        {
            var snapshot = Snapshot(revision).WithOperation("listOrders", new() { Scopes = ["orders:read"] });
            return snapshot with { Plans = [snapshot.Plans[0] with { Scopes = plan }] };
        }
    }

    [Fact]
    public async Task A_remembered_token_costs_no_allocation_and_ends_with_the_key_or_the_snapshot()
    {
        var token = Token("ES256", "ec");
        Assert.Equal("", await CallAsync(token));
        var authenticator = _gateway.Services.GetRequiredService<TokenAuthenticator>();
        var snapshot = _gateway.Snapshot.Current!;
        var request = new OpenPlatform.Gateway.Context.GatewayRequest(new DefaultHttpContext(), snapshot, "id");
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                Assert.True(authenticator.TryKnown(token, request, snapshot.Identity!, out _));
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);

        _jwks = JwksOf(Jwk("rsa", _rsa));
        await Eventually.TrueAsync(() =>
        {
            _ = snapshot.Identity!.Issuers[Issuer].Keys.RefreshAsync(); // one that was under way already brings the old keys
            return !authenticator.TryKnown(token, request, snapshot.Identity, out _);
        });
        Assert.Equal("invalid-token", await CallAsync(token));

        var other = Token("RS256", "rsa");
        Assert.Equal("", await CallAsync(other));
        _catalog.Publish(Snapshot(2, static issuer => issuer with { Applications = new Dictionary<string, Guid>(StringComparer.Ordinal) }));
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);
        Assert.Equal("invalid-token", await CallAsync(other));
    }

    [Fact]
    public async Task The_memory_of_tokens_is_bounded_and_keeps_what_is_in_use()
    {
        var cache = new TokenCache(100);
        var source = _gateway.Snapshot.Current!.Identity!.Issuers[Issuer];
        await source.Keys.RefreshAsync(); // tokens are forgotten with the keys that verified them: these stay
        OpenPlatform.Gateway.Authentication.KeyDigest Digest(int i) => OpenPlatform.Gateway.Authentication.KeyDigest.Read(SHA256.HashData(BitConverter.GetBytes(i)));
        var token = new VerifiedToken(default, long.MaxValue, source, source.Keys.Current, []);
        cache.Add(Digest(-1), token);
        for (var i = 0; i < 1000; i++)
        {
            cache.Add(Digest(i), token);
            Assert.NotNull(cache.Find(Digest(-1), 0));
        }

        Assert.InRange(Enumerable.Range(0, 1000).Count(i => cache.Find(Digest(i), 0) is not null), 1, 200);
    }

    private Task<GatewayHost> StartAsync(string? state = null) => GatewayHost.StartAsync(
        _catalog, _time, state, settings: [("OpenPlatform:Gateway:Authentication:IssuerKeysTimeout", "00:00:20")]);

    private Snapshot Snapshot(long revision = 1, Func<IssuerModel, IssuerModel>? change = null)
    {
        var snapshot = TestSnapshot.Create([_backend.Address], revision);
        var issuer = new IssuerModel(
            Issuer, Audience, ["ES256", "RS256", "PS256"], new(_issuer.Address, "/jwks"), Applications: new Dictionary<string, Guid>(StringComparer.Ordinal) { ["partner"] = TestSnapshot.Subscriber });
        return snapshot with
        {
            Plans = [snapshot.Plans[0] with { Schemes = [CredentialSchemes.Jwt] }],
            Issuers = [change is null ? issuer : change(issuer)],
        };
    }

    private string Token(
        string algorithm, string kid, AsymmetricAlgorithm? signer = null, Action<Dictionary<string, object>>? header = null, Action<Dictionary<string, object>>? claims = null)
    {
        var head = new Dictionary<string, object>(StringComparer.Ordinal) { ["typ"] = "at+jwt", ["alg"] = algorithm, ["kid"] = kid };
        var body = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["iss"] = Issuer, ["aud"] = Audience, ["client_id"] = "partner", ["sub"] = "partner", ["jti"] = Guid.NewGuid(), ["exp"] = _time.GetUtcNow().ToUnixTimeSeconds() + 300,
        };
        header?.Invoke(head);
        claims?.Invoke(body);
        var signed = $"{Encode(JsonSerializer.Serialize(head))}.{Encode(JsonSerializer.Serialize(body))}";
        var data = Encoding.ASCII.GetBytes(signed);
        var signature = algorithm switch
        {
            "ES256" => ((ECDsa)(signer ?? _ec)).SignData(data, HashAlgorithmName.SHA256),
            "RS256" => _rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            "PS256" => _rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            "HS256" => HMACSHA256.HashData(_rsa.ExportSubjectPublicKeyInfo(), data),
            _ => [0],
        };
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    private string Resigned(string header, string claims)
    {
        var signed = $"{header}.{Encode(claims)}";
        return $"{signed}.{Base64Url.EncodeToString(_ec.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private static string JwksOf(params object[] keys) => JsonSerializer.Serialize(new { keys = keys.Append(new { kid = "other", kty = "oct", k = "AA" }) });

    private static object Jwk(string kid, ECDsa key)
    {
        var q = key.ExportParameters(false).Q;
        return new { kid, kty = "EC", crv = "P-256", x = Base64Url.EncodeToString(q.X), y = Base64Url.EncodeToString(q.Y), use = "sig", x5t = "ignored" };
    }

    private static object Jwk(string kid, RSA key)
    {
        var parameters = key.ExportParameters(false);
        return new { kid, kty = "RSA", n = Base64Url.EncodeToString(parameters.Modulus), e = Base64Url.EncodeToString(parameters.Exponent) };
    }

    /// <summary>The last part of the refusal's type; empty when there is none.</summary>
    private async Task<string> CallAsync(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Path) { Headers = { Authorization = new("Bearer", token) } };
        using var response = await _client.SendAsync(request, Stop);
        var text = await response.Content.ReadAsStringAsync(Stop);
        if (response.StatusCode == HttpStatusCode.Unauthorized)
        {
            Assert.Equal("realm=\"openplatform\", error=\"invalid_token\"", Assert.Single(response.Headers.WwwAuthenticate).Parameter);
        }

        return response.IsSuccessStatusCode ? string.Empty : JsonDocument.Parse(text).RootElement.GetProperty("type").GetString()!.Split(':')[^1];
    }
}
