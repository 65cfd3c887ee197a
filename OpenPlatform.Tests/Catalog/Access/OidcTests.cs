using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog.Access;

/// <summary>People who come in with tokens of an identity provider: a real server with discovery and keys.</summary>
[Collection(Beside.Name)]
public sealed class OidcTests(SharedPostgres postgres) : IAsyncLifetime
{
    private const string Audience = "openplatform-admin";

    private readonly ECDsa _ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _next = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly RSA _rsa = RSA.Create(2048);
    private volatile string _jwks = "";
    private volatile string? _issuerName;
    private volatile int _fetches;
    private StubServer _issuer = null!;
    private CatalogServer _catalog = null!;

    private (string, string?)[] Settings =>
    [
        ("OpenPlatform:Oidc:Authority", Authority), ("OpenPlatform:Oidc:Audience", Audience), ("OpenPlatform:Oidc:RoleClaim", "groups"),
        ("OpenPlatform:Oidc:Roles:platform-admins", "owner"), ("OpenPlatform:Oidc:Roles:revision", "auditor"), ("OpenPlatform:Oidc:Roles:partners", "developer"),
    ];

    private string Authority => _issuer.Address.ToString().TrimEnd('/');

    public async ValueTask InitializeAsync()
    {
        _jwks = Jwks(("ec", _ec), ("rsa", _rsa));
        _issuer = await StubServer.StartAsync(context =>
        {
            if (context.Request.Path == "/.well-known/openid-configuration")
            {
                return context.Response.WriteAsync(new JsonObject { ["issuer"] = _issuerName ?? Authority, ["jwks_uri"] = $"{Authority}/keys" }.ToJsonString());
            }

            Interlocked.Increment(ref _fetches);
            return context.Response.WriteAsync(_jwks);
        });
        _catalog = new(await postgres.CreateDatabaseAsync(), "Production", Settings);
        await _catalog.ReadyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _catalog.DisposeAsync();
        await _issuer.DisposeAsync();
        _ec.Dispose();
        _next.Dispose();
        _rsa.Dispose();
    }

    [Theory]
    [InlineData("ES256", "ec")]
    [InlineData("RS256", "rsa")]
    [InlineData("PS256", "rsa")]
    public async Task A_right_token_has_the_roles_of_its_groups(string algorithm, string kid)
    {
        var (status, self) = await SelfAsync(Token(algorithm, kid, c => c["groups"] = new JsonArray("revision", "canteen")));
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("oidc:mara@example", self!["actor"]!.GetValue<string>());
        Assert.Equal(["auditor"], self["roles"]!.AsArray().Select(static role => role!.GetValue<string>()));
    }

    [Fact]
    public async Task A_developers_organization_is_in_the_token_and_without_it_nobody_comes_in()
    {
        using var admin = _catalog.Operator();
        var organization = (await admin.CreateAsync("organizations", new { name = "Acme" })).Id();
        var (status, self) = await SelfAsync(Token("ES256", "ec", c => (c["groups"], c["organization"]) = (new JsonArray("partners", "platform-admins"), organization)));
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal(organization, self!["organizationId"]!.GetValue<string>());
        Assert.Equal(["developer"], self["roles"]!.AsArray().Select(static role => role!.GetValue<string>()));
        Assert.Equal(HttpStatusCode.Unauthorized, (await SelfAsync(Token("ES256", "ec", c => c["groups"] = "partners"))).Status);
    }

    /// <summary>Each of these has ended in a break-in somewhere.</summary>
    [Fact]
    public async Task A_token_that_is_not_exactly_right_is_nobodys()
    {
        var right = Token("ES256", "ec").Split('.');
        (string What, string Token)[] tokens =
        [
            ("none", Token("none", "ec")),
            ("none in other letters", Token("NoNe", "ec")),
            ("no signature", $"{right[0]}.{right[1]}."),
            ("HMAC with the public key", Token("HS256", "rsa")),
            ("algorithm of another key", Token("RS256", "rsa", header: h => h["kid"] = "ec")),
            ("key that nobody has", Token("ES256", "ec", header: h => h["kid"] = "other")),
            ("no key id", Token("ES256", "ec", header: h => h.Remove("kid"))),
            ("a key of its own", Token("ES256", "next", header: h => h["jwk"] = JsonNode.Parse(Jwk("ec", _next)))),
            ("critical extension", Token("ES256", "ec", header: h => h["crit"] = new JsonArray("exp"))),
            ("another type", Token("ES256", "ec", header: h => h["typ"] = "logout+jwt")),
            ("expired", Token("ES256", "ec", c => c["exp"] = Now(-120))),
            ("no expiry", Token("ES256", "ec", c => c.Remove("exp"))),
            ("expiry that is text", Token("ES256", "ec", c => c["exp"] = $"{Now(600)}")),
            ("not yet", Token("ES256", "ec", c => c["nbf"] = Now(600))),
            ("for another", Token("ES256", "ec", c => c["aud"] = "shop")),
            ("for nobody", Token("ES256", "ec", c => c.Remove("aud"))),
            ("of another issuer", Token("ES256", "ec", c => c["iss"] = "https://evil.example")),
            ("of a longer issuer", Token("ES256", "ec", c => c["iss"] = Authority + "/")),
            ("of no subject", Token("ES256", "ec", c => c.Remove("sub"))),
            ("of a subject with a line break", Token("ES256", "ec", c => c["sub"] = "a\nb")),
            ("other claims than signed", $"{right[0]}.{Encode("""{"sub":"x"}""")}.{right[2]}"),
            ("a member twice", $"{right[0]}.{Encode("""{"sub":"x","sub":"y"}""")}.{right[2]}"),
            ("four parts", string.Join('.', right) + ".x"),
            ("garbage", "eyJ.eyJ.eyJ"),
        ];
        foreach (var (what, token) in tokens)
        {
            Assert.True((await SelfAsync(token)).Status == HttpStatusCode.Unauthorized, what);
        }
    }

    [Fact]
    public async Task Every_changed_character_of_a_token_makes_it_nobodys()
    {
        var token = Token("ES256", "ec");
        var random = new Random(7);
        for (var i = 0; i < 150; i++)
        {
            var at = random.Next(3, token.Length - 3); // the last character of base64 has bits that do not count
            var changed = token[at] == 'A' ? 'B' : 'A';
            if (token[at] == '.' || token[at + 1] == '.')
            {
                continue;
            }

            Assert.Equal(HttpStatusCode.Unauthorized, (await SelfAsync(token[..at] + changed + token[(at + 1)..])).Status);
        }
    }

    [Fact]
    public async Task Who_has_no_role_of_ours_is_known_and_may_nothing()
    {
        using var client = _catalog.With(Token("ES256", "ec", c => c["groups"] = "canteen"));
        using var refused = await client.GetAsync("/admin/v1/apis");
        Assert.True(refused.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task An_issuer_that_is_away_changes_nothing_and_unknown_keys_do_not_make_us_knock_all_the_time()
    {
        Assert.Equal(HttpStatusCode.OK, (await SelfAsync(Token("ES256", "ec"))).Status);
        _jwks = "nonsense";
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await SelfAsync(Token("ES256", "ec", header: h => h["kid"] = $"unknown-{i}"))).Status);
        }

        Assert.Equal(1, _fetches);
        Assert.Equal(HttpStatusCode.OK, (await SelfAsync(Token("ES256", "ec"))).Status);
    }

    [Fact]
    public async Task A_key_that_the_issuer_adds_counts_after_the_pause_and_one_that_it_takes_away_no_longer_than_keys_are_kept()
    {
        var time = new ManualTime();
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync(), "Production", Settings) { Time = time };
        await catalog.ReadyAsync();
        Assert.Equal((HttpStatusCode.OK, 1), await WithAsync("ec"));

        // A key that appears is fetched with the first token that names it, but not sooner than half a minute after the fetch before.
        _jwks = Jwks(("ec", _ec), ("next", _next));
        Assert.Equal((HttpStatusCode.Unauthorized, 1), await WithAsync("next"));
        time.Advance(TimeSpan.FromSeconds(29.9));
        Assert.Equal((HttpStatusCode.Unauthorized, 1), await WithAsync("next"));
        time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal((HttpStatusCode.OK, 2), await WithAsync("next"));
        Assert.Equal((HttpStatusCode.OK, 2), await WithAsync("ec"));

        // A key that is gone counts until the keys are old (KeysInterval, an hour), and not a moment longer.
        _jwks = Jwks(("next", _next));
        time.Advance(TimeSpan.FromMinutes(60) - TimeSpan.FromSeconds(1));
        Assert.Equal((HttpStatusCode.OK, 2), await WithAsync("ec"));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((HttpStatusCode.Unauthorized, 3), await WithAsync("ec"));
        Assert.Equal((HttpStatusCode.OK, 3), await WithAsync("next"));

        async Task<(HttpStatusCode Status, int Fetches)> WithAsync(string key)
        {
            var token = Token("ES256", key, c => c["exp"] = time.GetUtcNow().AddMinutes(10).ToUnixTimeSeconds());
            return ((await SelfAsync(token, catalog)).Status, _fetches);
        }
    }

    [Fact]
    public async Task A_configuration_that_speaks_for_another_issuer_gives_no_keys()
    {
        _issuerName = "https://another.example";
        Assert.Equal(HttpStatusCode.Unauthorized, (await SelfAsync(Token("ES256", "ec"))).Status);
        Assert.Equal(0, _fetches);
    }

    private static long Now(int seconds) => DateTimeOffset.UtcNow.AddSeconds(seconds).ToUnixTimeSeconds();

    private static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    private static string Jwk(string kid, AsymmetricAlgorithm key)
    {
        var jwk = new JsonObject { ["kid"] = kid, ["use"] = "sig" };
        if (key is ECDsa ec)
        {
            var point = ec.ExportParameters(false).Q;
            (jwk["kty"], jwk["crv"], jwk["x"], jwk["y"]) = ("EC", "P-256", Base64Url.EncodeToString(point.X), Base64Url.EncodeToString(point.Y));
        }
        else
        {
            var parameters = ((RSA)key).ExportParameters(false);
            (jwk["kty"], jwk["n"], jwk["e"]) = ("RSA", Base64Url.EncodeToString(parameters.Modulus), Base64Url.EncodeToString(parameters.Exponent));
        }

        return jwk.ToJsonString();
    }

    private static string Jwks(params (string Kid, AsymmetricAlgorithm Key)[] keys) => $$"""{"keys":[{"kty":"oct","kid":"hmac"},{{string.Join(',', keys.Select(static key => Jwk(key.Kid, key.Key)))}}]}""";

    private string Token(string algorithm, string key, Action<JsonObject>? claims = null, Action<JsonObject>? header = null)
    {
        var head = new JsonObject { ["alg"] = algorithm, ["kid"] = key, ["typ"] = "JWT" };
        header?.Invoke(head);
        var body = new JsonObject { ["iss"] = Authority, ["aud"] = new JsonArray("other", Audience), ["sub"] = "mara@example", ["exp"] = Now(600), ["iat"] = Now(0), ["groups"] = "platform-admins" };
        claims?.Invoke(body);
        var signed = $"{Encode(head.ToJsonString())}.{Encode(body.ToJsonString())}";
        var data = Encoding.ASCII.GetBytes(signed);
        var signature = algorithm switch
        {
            "ES256" => (key == "next" ? _next : _ec).SignData(data, HashAlgorithmName.SHA256),
            "RS256" => _rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            "PS256" => _rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pss),
            "HS256" => HMACSHA256.HashData(_rsa.ExportSubjectPublicKeyInfo(), data),
            _ => [1, 2, 3],
        };
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    private async Task<(HttpStatusCode Status, JsonNode? Self)> SelfAsync(string token, CatalogServer? catalog = null)
    {
        using var client = (catalog ?? _catalog).With(token);
        using var response = await client.GetAsync("/admin/v1/me");
        return (response.StatusCode, response.IsSuccessStatusCode ? await JsonSerializer.DeserializeAsync<JsonNode>(await response.Content.ReadAsStreamAsync()) : null);
    }
}
