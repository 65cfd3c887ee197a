using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Every type of credential: what is shown once, what gateways get, how many there may be and how one follows another.</summary>
public sealed class CredentialTypeTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private static readonly ECDsa Ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private static readonly RSA Rsa = RSA.Create(2048);

    [Fact]
    public async Task A_signing_secret_reaches_gateways_in_an_envelope_that_only_they_open()
    {
        using var admin = fixture.Catalog.Operator();
        var issued = await admin.CreateAsync("credentials", await BodyAsync(admin, "hmac"));
        var secret = issued["secret"]!.GetValue<string>();

        var model = await SigningKeyAsync(issued);

        using var envelope = SecretEnvelope.FromBase64(CatalogServer.EnvelopeKey);
        Assert.Equal(secret, System.Text.Encoding.UTF8.GetString(envelope.Open(model!.CredentialId, model.Key.Span)!));
        Assert.Equal((SigningAlgorithms.Hmac, issued["keyId"]!.GetValue<string>()), (model.Algorithm, model.KeyId));
        Assert.DoesNotContain(secret, await admin.GetStringAsync($"/admin/v1/credentials/{issued.Id()}"), StringComparison.Ordinal);
        Assert.DoesNotContain(secret[10..], fixture.Catalog.Logs.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_public_key_is_taken_as_PEM_and_as_a_JSON_web_key()
    {
        using var admin = fixture.Catalog.Operator();
        var ec = Ec.ExportParameters(includePrivateParameters: false);
        foreach (var (member, value, algorithm, spki) in new (string, JsonNode, string, byte[])[]
        {
            ("publicKey", Ec.ExportSubjectPublicKeyInfoPem(), SigningAlgorithms.EcdsaP256, Ec.ExportSubjectPublicKeyInfo()),
            ("publicKey", Rsa.ExportSubjectPublicKeyInfoPem(), SigningAlgorithms.RsaPss, Rsa.ExportSubjectPublicKeyInfo()),
            ("jwk", Jwk(ec), SigningAlgorithms.EcdsaP256, Ec.ExportSubjectPublicKeyInfo()),
        })
        {
            var body = await BodyAsync(admin, "public-key");
            body[member] = value;
            var issued = await admin.CreateAsync("credentials", body);
            var model = await SigningKeyAsync(issued);
            Assert.Equal(algorithm, model!.Algorithm);
            Assert.Equal(spki, model.Key.ToArray());
            Assert.Null(issued["secret"]);
        }
    }

    [Fact]
    public async Task A_certificate_is_known_by_its_thumbprint_and_ends_with_its_validity()
    {
        using var admin = fixture.Catalog.Operator();
        using var certificate = Certificate(DateTimeOffset.UtcNow.AddDays(30));
        var body = await BodyAsync(admin, "certificate");
        body["certificate"] = certificate.ExportCertificatePem();
        body["expiresAt"] = "2999-01-01T00:00:00Z";
        var issued = await admin.CreateAsync("credentials", body);

        Assert.Equal(certificate.GetCertHashString(HashAlgorithmName.SHA256), issued["thumbprint"]!.GetValue<string>(), ignoreCase: true);
        Assert.Equal(new DateTimeOffset(certificate.NotAfter), issued["expiresAt"]!.GetValue<DateTimeOffset>());
        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Certificates!, one => one.CredentialId.ToString() == issued.Id());
        Assert.Equal(certificate.GetCertHash(HashAlgorithmName.SHA256), model.Thumbprint.ToArray());

        body["applicationId"] = await new Parts(admin).NewAsync("applications");
        using (var taken = await admin.PostAsJsonAsync("/admin/v1/credentials", body))
        {
            Assert.Equal(["/certificate"], await taken.ProblemAsync(HttpStatusCode.Conflict));
        }

        using var revoked = await admin.ActAsync($"credentials/{issued.Id()}:revoke", "*");
        await admin.CreateAsync("credentials", body);
    }

    public static TheoryData<string, string, string, string> Wrong()
    {
        using var weak = RSA.Create(1024);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var ended = Certificate(DateTimeOffset.UtcNow.AddMinutes(-1));
        var pem = Ec.ExportSubjectPublicKeyInfoPem();
        return new()
        {
            { "public-key", "keyId", "\"a b\"", "/keyId" },
            { "public-key", "publicKey", Json(""), "/publicKey" },
            { "public-key", "publicKey", Json("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"), "/publicKey" },
            { "public-key", "publicKey", Json(weak.ExportSubjectPublicKeyInfoPem()), "/publicKey" },
            { "public-key", "publicKey", Json(other.ExportSubjectPublicKeyInfoPem()), "/publicKey" },
            { "public-key", "publicKey", Json(Ec.ExportPkcs8PrivateKeyPem()), "/publicKey" },
            { "public-key", "publicKey", Json(pem + "\n" + pem), "/publicKey" },
            { "client-key", "publicKey", Json(Rsa.ExportRSAPublicKeyPem()), "/publicKey" },
            { "client-key", "jwk", """{"kty":"oct"}""", "/jwk" },
            { "client-key", "jwk", """{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}""", "/jwk" },
            { "api-key", "publicKey", Json(pem), "/publicKey" },
            { "hmac", "certificate", "\"\"", "/certificate" },
            { "certificate", "name", "\"x\"", "/certificate" },
            { "certificate", "certificate", Json(pem), "/certificate" },
            { "certificate", "certificate", Json(ended.ExportCertificatePem()), "/certificate" },
        };
    }

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public async Task Material_that_cannot_be_used_is_refused_at_its_member(string type, string member, string value, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin, type);
        body[member] = JsonNode.Parse(value);
        if (member == "keyId")
        {
            body["publicKey"] = Ec.ExportSubjectPublicKeyInfoPem();
        }

        using var response = await admin.PostAsJsonAsync("/admin/v1/credentials", body);

        Assert.Equal([pointer], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_private_key_is_refused_and_not_repeated()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin, "client-key");
        body["jwk"] = Jwk(Ec.ExportParameters(includePrivateParameters: false));
        body["jwk"]!["d"] = "c2VjcmV0LXNjYWxhcg";
        using var response = await admin.PostAsJsonAsync("/admin/v1/credentials", body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(["/jwk/d"], await response.ProblemAsync(HttpStatusCode.BadRequest));
        Assert.DoesNotContain("c2VjcmV0", text + fixture.Catalog.Logs.All, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("api-key")]
    [InlineData("client-secret")]
    public async Task Five_may_be_live_at_once_and_a_revoked_one_makes_room(string type)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin, type);
        var first = await admin.CreateAsync("credentials", body);
        for (var i = 1; i < 5; i++)
        {
            await admin.CreateAsync("credentials", body);
        }

        using (var sixth = await admin.PostAsJsonAsync("/admin/v1/credentials", body))
        {
            Assert.Equal(["/applicationId"], await sixth.ProblemAsync(HttpStatusCode.Conflict));
        }

        using var revoked = await admin.ActAsync($"credentials/{first.Id()}:revoke", "*");
        await admin.CreateAsync("credentials", body);
    }

    [Fact]
    public async Task The_database_holds_the_five_whoever_writes()
    {
        using var admin = fixture.Catalog.Operator();
        var application = Guid.Parse(await new Parts(admin).NewAsync("applications"));

        // Past the service, ten at once, each on a connection of its own.
        var results = await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            await using var connection = new NpgsqlConnection(fixture.ConnectionString);
            try
            {
                return await connection.ExecuteAsync(
                    "insert into credentials (id, application_id, name, hash, prefix, created_at) values (@id, @application, 'x', @hash, 'opk_', now())",
                    new { id = Guid.CreateVersion7(), application, hash = RandomNumberGenerator.GetBytes(32) });
            }
            catch (PostgresException refused)
            {
                Assert.Equal("credentials_five_live", refused.ConstraintName);
                return 0;
            }
        }));

        Assert.Equal(5, results.Sum());
    }

    [Fact]
    public async Task A_rotated_key_counts_until_the_overlap_has_passed()
    {
        using var admin = fixture.Catalog.Operator();
        var old = await admin.CreateAsync("credentials", await BodyAsync(admin, "api-key"));
        using var rotated = await admin.ActAsync($"credentials/{old.Id()}:rotate", "\"1\"", new { overlapSeconds = 3600 });
        var next = await rotated.JsonAsync();

        Assert.Equal(HttpStatusCode.Created, rotated.StatusCode);
        Assert.Equal("no-store", rotated.Headers.CacheControl?.ToString());
        Assert.StartsWith("opk_", next["key"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(old.Id(), next["replaces"]!.GetValue<string>());
        var ends = (await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/credentials/{old.Id()}"))!["expiresAt"]!.GetValue<DateTimeOffset>();
        Assert.Equal(next["createdAt"]!.GetValue<DateTimeOffset>().AddHours(1), ends);
        var live = (await fixture.Catalog.SnapshotAsync()).Credentials;
        Assert.Equal(ends, Assert.Single(live, model => model.CredentialId.ToString() == old.Id()).ExpiresAt);
        Assert.Contains(live, model => model.CredentialId.ToString() == next.Id());

        using var atOnce = await admin.ActAsync($"credentials/{next.Id()}:rotate", "*", new { overlapSeconds = 0 });
        Assert.Equal(HttpStatusCode.Created, atOnce.StatusCode);
        Assert.DoesNotContain((await fixture.Catalog.SnapshotAsync()).Credentials, model => model.CredentialId.ToString() == next.Id());
        using var ended = await admin.ActAsync($"credentials/{next.Id()}:rotate", "*", new { });
        await ended.ProblemAsync(HttpStatusCode.Conflict);
        using var tooLong = await admin.ActAsync($"credentials/{old.Id()}:rotate", "*", new { overlapSeconds = 2_592_001 });
        Assert.Equal(["/overlapSeconds"], await tooLong.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_rotated_public_key_needs_its_successor()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin, "public-key");
        body["publicKey"] = Ec.ExportSubjectPublicKeyInfoPem();
        var old = await admin.CreateAsync("credentials", body);
        using (var nothing = await admin.ActAsync($"credentials/{old.Id()}:rotate", "*", new { }))
        {
            Assert.Equal(["/publicKey"], await nothing.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }

        using var rotated = await admin.ActAsync($"credentials/{old.Id()}:rotate", "*", new { publicKey = Rsa.ExportSubjectPublicKeyInfoPem(), keyId = $"next-{old.Id()}" });
        Assert.Equal(SigningAlgorithms.RsaPss, (await SigningKeyAsync(await rotated.JsonAsync()))!.Algorithm);
        Assert.NotNull(await SigningKeyAsync(old));
    }

    [Fact]
    public async Task What_a_credential_is_made_of_cannot_be_changed_in_the_database_either()
    {
        using var admin = fixture.Catalog.Operator();
        var id = Guid.Parse((await admin.CreateAsync("credentials", await BodyAsync(admin, "api-key"))).Id());
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        foreach (var change in new[] { "hash = sha256('x')", "type = 'client-secret'", "application_id = (select id from applications where id <> application_id limit 1)", "thumbprint = sha256('x')" })
        {
            await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync($"update credentials set {change} where id = @id", new { id }));
        }
    }

    private async Task<SigningKeyModel?> SigningKeyAsync(JsonObject credential) =>
        (await fixture.Catalog.SnapshotAsync()).SigningKeys?.SingleOrDefault(model => model.CredentialId.ToString() == credential.Id());

    private static async Task<JsonObject> BodyAsync(HttpClient admin, string type) =>
        new() { ["applicationId"] = await new Parts(admin).NewAsync("applications"), ["type"] = type };

    private static JsonObject Jwk(ECParameters key) => new()
    {
        ["kty"] = "EC", ["crv"] = "P-256", ["x"] = System.Buffers.Text.Base64Url.EncodeToString(key.Q.X), ["y"] = System.Buffers.Text.Base64Url.EncodeToString(key.Q.Y),
        ["key_ops"] = new JsonArray("verify"), ["ext"] = true,
    };

    private static string Json(string text) => JsonValue.Create(text).ToJsonString();

    private static X509Certificate2 Certificate(DateTimeOffset ends) =>
        new CertificateRequest("CN=partner", Ec, HashAlgorithmName.SHA256).CreateSelfSigned(ends.AddDays(-90), ends);
}
