using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using FsCheck.Fluent;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Tokens;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>A catalog that issues tokens.</summary>
public sealed class TokenFixture(SharedPostgres postgres) : IAsyncLifetime
{
    public const string Issuer = "https://login.example";

    internal CatalogServer Catalog { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Catalog = new(await postgres.CreateDatabaseAsync(), settings: [("OpenPlatform:Tokens:Issuer", Issuer), ("OpenPlatform:Tokens:FailuresPerMinute", "1000")]);
        await Catalog.ReadyAsync();
    }

    public ValueTask DisposeAsync() => Catalog.DisposeAsync();
}

/// <summary>The token endpoint and its neighbours, as RFC 6749, 7009, 7523, 7662, 8414 and 9068 have them.</summary>
public sealed class AccessTokenTests(TokenFixture fixture, SharedPostgres postgres) : IClassFixture<TokenFixture>
{
    private const string Assertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_token_is_what_RFC_9068_says_and_is_verified_by_the_published_keys()
    {
        using var http = fixture.Catalog.Anonymous();
        var client = await ClientAsync("orders:read", "orders:write");
        using var response = await client.TokenAsync(http);
        var answer = await response.JsonAsync();
        Assert.Equal((HttpStatusCode.OK, "no-store"), (response.StatusCode, response.Headers.CacheControl?.ToString()));
        Assert.Equal(("Bearer", 300, "orders:read orders:write"), (Text(answer, "token_type"), answer["expires_in"]!.GetValue<int>(), Text(answer, "scope")));

        var token = Text(answer, "access_token").Split('.');
        var (header, claims) = (Decode(token[0]), Decode(token[1]));
        Assert.Equal(("at+jwt", "ES256"), (Text(header, "typ"), Text(header, "alg")));
        Assert.Equal((TokenFixture.Issuer, client.Id, client.Id, "urn:openplatform:apis"), (Text(claims, "iss"), Text(claims, "sub"), Text(claims, "client_id"), Text(claims, "aud")));
        Assert.Equal(300, claims["exp"]!.GetValue<long>() - claims["iat"]!.GetValue<long>());

        var keys = JsonNode.Parse(await http.GetStringAsync("/oauth/jwks", Stop))!["keys"]!.AsArray();
        var jwk = keys.Single(key => Text(key!, "kid") == Text(header, "kid"))!;
        Assert.Null(jwk["d"]);
        using var key = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new() { X = Base64Url.DecodeFromChars(Text(jwk, "x")), Y = Base64Url.DecodeFromChars(Text(jwk, "y")) } });
        Assert.True(key.VerifyData(Encoding.ASCII.GetBytes($"{token[0]}.{token[1]}"), Base64Url.DecodeFromChars(token[2]), HashAlgorithmName.SHA256));
        Assert.Contains((await fixture.Catalog.SnapshotAsync()).Issuers!.Single(issuer => issuer.Issuer == TokenFixture.Issuer).Keys!, model => model.Kid == Text(header, "kid"));
    }

    [Theory]
    [InlineData("orders:read", "orders:read")]
    [InlineData("orders:read admin", "orders:read")]
    [InlineData("admin", null)]
    [InlineData("", "orders:read orders:write")]
    public async Task Scopes_are_cut_to_those_of_the_plan(string asked, string? granted)
    {
        using var http = fixture.Catalog.Anonymous();
        using var response = await (await ClientAsync("orders:read", "orders:write")).TokenAsync(http, ("scope", asked));
        var answer = await response.JsonAsync();
        Assert.Equal(granted is null ? ("invalid_scope", null) : (null, granted), (answer["error"]?.GetValue<string>(), answer["scope"]?.GetValue<string>()));
    }

    [Fact]
    public async Task A_client_that_is_not_believed_is_not_told_why()
    {
        using var http = fixture.Catalog.Anonymous();
        using var admin = fixture.Catalog.Operator();
        var client = await ClientAsync();
        var revoked = await ClientAsync();
        using var gone = await admin.ActAsync($"credentials/{revoked.Credential}:revoke", "*");
        var suspended = await ClientAsync();
        using var stopped = await admin.ActAsync($"applications/{suspended.Id}:suspend", "*");
        var answers = new List<string>();
        foreach (var (id, secret) in new[] { (client.Id, client.Secret + "x"), (client.Id, ""), (Guid.NewGuid().ToString(), client.Secret), (revoked.Id, revoked.Secret), (suspended.Id, suspended.Secret), ("nobody", "x") })
        {
            using var response = await http.PostAsync("/oauth/token", Form(("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret.Length == 0 ? "opk" : secret)), Stop);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            Assert.StartsWith("Basic", response.Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
            answers.Add(await response.Content.ReadAsStringAsync(Stop));
        }

        Assert.Single(answers.Distinct());
        Assert.DoesNotContain(client.Secret[10..], fixture.Catalog.Logs.All, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "invalid_request")]
    [InlineData("grant_type=password", "unsupported_grant_type")]
    [InlineData("grant_type=client_credentials&grant_type=client_credentials", "invalid_request")]
    public async Task A_request_that_is_none_is_an_error_of_RFC_6749(string form, string error)
    {
        using var http = fixture.Catalog.Anonymous();
        var client = await ClientAsync();
        using var content = new StringContent($"client_id={client.Id}&client_secret={client.Secret}&{form}", Encoding.UTF8, "application/x-www-form-urlencoded");
        using var response = await http.PostAsync("/oauth/token", content, Stop);
        Assert.Equal((HttpStatusCode.BadRequest, error), (response.StatusCode, Text(await response.JsonAsync(), "error")));
    }

    [Fact]
    public async Task Two_ways_to_authenticate_parameters_in_the_URL_and_json_are_refused()
    {
        using var http = fixture.Catalog.Anonymous();
        var client = await ClientAsync();
        using var both = new HttpRequestMessage(HttpMethod.Post, "/oauth/token") { Content = Form(("grant_type", "client_credentials"), ("client_id", client.Id), ("client_secret", client.Secret)) };
        both.Headers.Authorization = client.Basic;
        using var one = await http.SendAsync(both, Stop);
        Assert.Equal("invalid_request", Text(await one.JsonAsync(), "error"));
        using var two = await http.PostAsync($"/oauth/token?client_secret=x", Form(("grant_type", "client_credentials")), Stop);
        Assert.Equal("invalid_request", Text(await two.JsonAsync(), "error"));
        using var three = await http.PostAsync("/oauth/token", new StringContent("{}", Encoding.UTF8, "application/json"), Stop);
        Assert.Equal("invalid_request", Text(await three.JsonAsync(), "error"));
    }

    [Fact]
    public async Task An_assertion_counts_once_and_only_as_it_should_be()
    {
        using var http = fixture.Catalog.Anonymous();
        using var admin = fixture.Catalog.Operator();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var id = await new Parts(admin).NewAsync("applications");
        await admin.CreateAsync("credentials", new { applicationId = id, type = "client-key", publicKey = key.ExportSubjectPublicKeyInfoPem() });
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        Dictionary<string, object> Claims(params (string Name, object? Value)[] changes)
        {
            var claims = new Dictionary<string, object>(StringComparer.Ordinal) { ["iss"] = id, ["sub"] = id, ["aud"] = TokenFixture.Issuer, ["exp"] = now + 60, ["jti"] = Guid.NewGuid().ToString() };
            foreach (var (name, value) in changes)
            {
                _ = value is null ? claims.Remove(name) : claims.TryAdd(name, value) || (claims[name] = value) is not null;
            }

            return claims;
        }

        var good = CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims());
        Assert.Equal(HttpStatusCode.OK, await PostAsync(good));
        Assert.Equal(HttpStatusCode.Unauthorized, await PostAsync(good)); // a second time
        Assert.Equal(HttpStatusCode.OK, await PostAsync(CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims(("aud", new[] { "x", TokenFixture.Issuer + "/oauth/token" })))));
        foreach (var wrong in new[]
        {
            CompactJwt.Sign("JWT", Guid.NewGuid(), other, Claims()),
            CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims(("aud", "https://elsewhere.example"))),
            CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims(("iss", Guid.NewGuid().ToString()))),
            CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims(("exp", now - 60))),
            CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims(("exp", now + 3600))),
            CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims(("exp", null))),
            CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims(("jti", null))),
            CompactJwt.Sign("JWT", Guid.NewGuid(), key, Claims(("nbf", now + 300))),
            good.Replace(good.Split('.')[0], Base64Url.EncodeToString("""{"alg":"none"}"""u8), StringComparison.Ordinal),
        })
        {
            Assert.Equal(HttpStatusCode.Unauthorized, await PostAsync(wrong));
        }

        async Task<HttpStatusCode> PostAsync(string assertion)
        {
            using var response = await http.PostAsync("/oauth/token", Form(("grant_type", "client_credentials"), ("client_assertion_type", Assertion), ("client_assertion", assertion)), Stop);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task A_revoked_token_and_the_tokens_of_a_revoked_secret_are_inactive_and_gateways_hear_of_it()
    {
        using var http = fixture.Catalog.Anonymous();
        using var admin = fixture.Catalog.Operator();
        var (client, stranger) = (await ClientAsync("orders:read"), await ClientAsync());
        var first = await client.TokenTextAsync(http);
        var second = await client.TokenTextAsync(http);
        Assert.True(await ActiveAsync(client, first));
        Assert.False(await ActiveAsync(stranger, first)); // another's token is nobody's
        Assert.False(await ActiveAsync(client, "nonsense"));

        using (var foreign = await http.SendAsync(stranger.Request("/oauth/revoke", ("token", first)), Stop))
        {
            Assert.Equal("invalid_grant", Text(await foreign.JsonAsync(), "error"));
        }

        using (var revoked = await http.SendAsync(client.Request("/oauth/revoke", ("token", first)), Stop))
        {
            Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        }

        Assert.False(await ActiveAsync(client, first));
        Assert.True(await ActiveAsync(client, second));
        Assert.Contains(Guid.Parse(Text(Decode(first.Split('.')[1]), "jti")), (await IssuerAsync()).Revoked!);

        using var gone = await admin.ActAsync($"credentials/{client.Credential}:revoke", "*");
        Assert.Contains(Guid.Parse(client.Credential), (await IssuerAsync()).Revoked!);

        async Task<bool> ActiveAsync(Client asking, string token)
        {
            using var response = await http.SendAsync(asking.Request("/oauth/introspect", ("token", token)), Stop);
            return (await response.JsonAsync())["active"]!.GetValue<bool>();
        }
    }

    /// <summary>Got when the secret had no end yet, and good for five minutes: the secret's overlap is shorter.</summary>
    [Fact]
    public async Task Tokens_of_a_secret_that_was_rotated_end_with_its_overlap_here_and_at_the_gateways()
    {
        using var http = fixture.Catalog.Anonymous();
        using var admin = fixture.Catalog.Operator();
        var client = await ClientAsync("orders:read");
        var token = await client.TokenTextAsync(http);
        using var rotated = await admin.ActAsync($"credentials/{client.Credential}:rotate", "*", new { overlapSeconds = 2 });
        Assert.True(rotated.IsSuccessStatusCode, await rotated.Content.ReadAsStringAsync(Stop));
        var next = client with { Secret = Text(await rotated.JsonAsync(), "secret") };
        using var read = await admin.GetAsync($"/admin/v1/credentials/{client.Credential}", Stop);
        var ends = (await read.JsonAsync())["expiresAt"]!.GetValue<DateTimeOffset>();
        Assert.Equal(ends, (await IssuerAsync()).Ending![Guid.Parse(client.Credential)]);

        await Eventually.TrueAsync(async () => !await ActiveAsync(token));
        Assert.True(DateTimeOffset.UtcNow >= ends);

        // One of the new secret goes on; and a secret that ends soon says so in its tokens.
        var fresh = await next.TokenTextAsync(http);
        Assert.True(await ActiveAsync(fresh));
        Assert.Null(Decode(fresh.Split('.')[1])["cred_exp"]);
        using var again = await admin.ActAsync($"credentials/{(await rotated.JsonAsync()).Id()}:rotate", "*", new { overlapSeconds = 60 });
        var claims = Decode((await next.TokenTextAsync(http)).Split('.')[1]);
        Assert.Equal(claims["exp"]!.GetValue<long>(), claims["cred_exp"]!.GetValue<long>());

        async Task<bool> ActiveAsync(string asked)
        {
            using var response = await http.SendAsync(next.Request("/oauth/introspect", ("token", asked)), Stop);
            return (await response.JsonAsync())["active"]!.GetValue<bool>();
        }
    }

    [Fact]
    public async Task Who_guesses_is_shut_out_for_a_minute_and_nobody_else()
    {
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync(), settings: [("OpenPlatform:Tokens:Issuer", TokenFixture.Issuer), ("OpenPlatform:Tokens:FailuresPerMinute", "2")]);
        await catalog.ReadyAsync();
        using var http = catalog.Anonymous();
        var (victim, other) = (Guid.NewGuid().ToString(), Guid.NewGuid().ToString());
        Assert.Equal(HttpStatusCode.Unauthorized, await GuessAsync(victim));

        // A minute may turn in between; then it begins again.
        await Eventually.TrueAsync(async () => await GuessAsync(victim) == HttpStatusCode.TooManyRequests);
        Assert.Equal(HttpStatusCode.Unauthorized, await GuessAsync(other));

        async Task<HttpStatusCode> GuessAsync(string client)
        {
            using var response = await http.PostAsync("/oauth/token", Form(("grant_type", "client_credentials"), ("client_id", client), ("client_secret", "opc_guess")), Stop);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task The_next_key_is_published_before_it_signs_and_a_leaked_one_is_gone_at_once()
    {
        using var http = fixture.Catalog.Anonymous();
        using var admin = fixture.Catalog.Operator();
        var client = await ClientAsync();
        var before = await KidAsync();
        using (var rotated = await admin.ActAsync("token-keys:rotate", null, new { }))
        {
            Assert.Equal(HttpStatusCode.OK, rotated.StatusCode);
            Assert.True((await rotated.JsonAsync())["signsFrom"]!.GetValue<DateTimeOffset>() > DateTimeOffset.UtcNow.AddMinutes(50));
        }

        Assert.Equal(2, (await IssuerAsync()).Keys!.Count);
        Assert.Equal(before, await KidAsync());
        using (var atOnce = await admin.ActAsync("token-keys:rotate", null, new { atOnce = true }))
        {
            Assert.Equal(Text(await atOnce.JsonAsync(), "id"), await KidAsync());
        }

        Assert.DoesNotContain((await IssuerAsync()).Keys!, key => key.Kid == before);

        async Task<string> KidAsync() => Text(Decode((await client.TokenTextAsync(http)).Split('.')[0]), "kid");
    }

    [Fact]
    public async Task Keys_follow_one_another_by_themselves_and_overlap()
    {
        // A deployment of its own, whose clock is turned by hand.
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync());
        await catalog.ReadyAsync();
        var keys = ActivatorUtilities.CreateInstance<SigningKeys>(catalog.Services, Microsoft.Extensions.Options.Options.Create(new TokenOptions
        {
            Issuer = "https://rotating.example", KeyLifetime = TimeSpan.FromDays(10), KeyAhead = TimeSpan.FromDays(1), Lifetime = TimeSpan.FromMinutes(5),
        }));
        var start = DateTimeOffset.FromUnixTimeSeconds(1_900_000_000);
        var seen = new List<(double Day, int Published)>();
        for (var hours = 0; hours <= 24 * 25; hours += 6)
        {
            await catalog.Services.GetRequiredService<ConfigChanges>().ApplyAsync<bool>(async change => await keys.MaintainAsync(change with { Now = start.AddHours(hours) }), Stop);
            var published = await keys.PublishedAsync(Stop);
            Assert.Contains(published, key => key.SignsFrom <= start.AddHours(hours));
            if (seen.Count == 0 || seen[^1].Published != published.Count)
            {
                seen.Add((hours / 24.0, published.Count));
            }
        }

        // One; a day ahead the next beside it; after the change and the life of the last token one again.
        Assert.Equal([(0, 1), (9, 2), (10.25, 1), (19, 2), (20.25, 1)], seen);
    }

    [Fact]
    public async Task Whatever_is_sent_the_answer_is_an_error_of_the_protocol()
    {
        using var http = fixture.Catalog.Anonymous();
        var client = await ClientAsync("a");
        var token = await client.TokenTextAsync(http);
        string[] codes = ["invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "unsupported_grant_type"];
        var pieces = new[]
        {
            "grant_type=client_credentials", "grant_type", "=", "&", "client_id=" + client.Id, "client_secret=" + client.Secret, "scope=a", "scope=%00", "scope=%ff%fe", "token=" + token,
            "client_assertion_type=" + Assertion, "client_assertion=" + token, "client_assertion=a.b.c", "client_assertion=eyJ9.eyJ9.AAAA", "client_id=", "client_id=%F0%9F%98%80", new string('x', 2000), "a=b=c", "%", "%zz", "+",
        };
        var basics = new[] { null, "Basic", "Basic !", "Basic " + Convert.ToBase64String("a:b"u8), "Basic " + Convert.ToBase64String([0xff, 0x3a, 0xfe]), "Bearer " + token, client.Basic.ToString() };
        var paths = new[] { "/oauth/token", "/oauth/revoke", "/oauth/introspect" };
        var shape = from parts in Gen.Elements(pieces).ArrayOf() from basic in Gen.Elements(basics) from path in Gen.Elements(paths) from cut in Gen.Choose(0, 400) select (parts, basic, path, cut);
        foreach (var (parts, basic, path, cut) in Gen.Sample(shape, 250, 8))
        {
            var body = string.Join('&', parts);
            using var request = new HttpRequestMessage(HttpMethod.Post, path)
            {
                Content = new StringContent(cut % 4 == 0 ? body[..Math.Min(cut, body.Length)] : body, Encoding.UTF8, "application/x-www-form-urlencoded"),
            };
            if (basic is not null)
            {
                request.Headers.TryAddWithoutValidation("Authorization", basic);
            }

            using var response = await http.SendAsync(request, Stop);
            var text = await response.Content.ReadAsStringAsync(Stop);
            Assert.True((int)response.StatusCode is 200 or 400 or 401 or 429, $"{path} {basic} {body}: {(int)response.StatusCode} {text}");
            if (response.StatusCode != HttpStatusCode.OK)
            {
                Assert.Contains(JsonNode.Parse(text)!["error"]!.GetValue<string>(), codes);
                Assert.DoesNotContain(client.Secret, text, StringComparison.Ordinal);
            }
        }
    }

    private async Task<IssuerModel> IssuerAsync() => (await fixture.Catalog.SnapshotAsync()).Issuers!.Single(static issuer => issuer.Issuer == TokenFixture.Issuer);

    /// <summary>An application with a client secret, subscribed under a plan with these scopes.</summary>
    private async Task<Client> ClientAsync(params string[] scopes)
    {
        using var admin = fixture.Catalog.Operator();
        var parts = new Parts(admin);
        var body = await parts.BodyAsync("subscriptions");
        var plan = await parts.BodyAsync("plans");
        plan["scopes"] = new JsonArray([.. scopes.Select(static scope => JsonValue.Create(scope))]);
        body["planId"] = (await admin.CreateAsync("plans", plan)).Id();
        var subscription = await admin.CreateAsync("subscriptions", body);
        var id = Text(subscription, "applicationId");
        var credential = await admin.CreateAsync("credentials", new { applicationId = id, type = "client-secret" });
        return new(id, credential.Id(), Text(credential, "secret"));
    }

    private static JsonNode Decode(string part) => JsonNode.Parse(Base64Url.DecodeFromChars(part))!;

    private static string Text(JsonNode node, string member) => node[member]!.GetValue<string>();

    private static FormUrlEncodedContent Form(params (string Name, string Value)[] parameters) => new(parameters.Select(static p => KeyValuePair.Create(p.Name, p.Value)));

    private sealed record Client(string Id, string Credential, string Secret)
    {
        public AuthenticationHeaderValue Basic => new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Id}:{Secret}")));

        public HttpRequestMessage Request(string path, params (string Name, string Value)[] parameters) => new(HttpMethod.Post, path) { Content = Form(parameters), Headers = { Authorization = Basic } };

        public Task<HttpResponseMessage> TokenAsync(HttpClient http, params (string Name, string Value)[] parameters) =>
            http.SendAsync(Request("/oauth/token", [("grant_type", "client_credentials"), .. parameters]), Stop);

        public async Task<string> TokenTextAsync(HttpClient http)
        {
            using var response = await TokenAsync(http);
            return Text(await response.JsonAsync(), "access_token");
        }
    }
}
