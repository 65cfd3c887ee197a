using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Plans and applications in changesets: what is exported is what is put.</summary>
public sealed class DeclaredPartnersTests(SharedPostgres postgres) : IAsyncLifetime
{
    private const string Key = "declared-key-0123456789";

    private CatalogServer _catalog = null!;
    private HttpClient _admin = null!;

    public async ValueTask InitializeAsync()
    {
        _catalog = new(await postgres.CreateDatabaseAsync());
        await _catalog.ReadyAsync();
        _admin = _catalog.Operator();
        var backend = await _admin.CreateAsync("backends", new { name = "orders", service = "orders" });
        await _admin.CreateAsync("apis", new
        {
            name = "orders", version = "v1", basePath = "/orders/v1", backendId = backend.Id(),
            operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/things" } },
        });
    }

    public ValueTask DisposeAsync()
    {
        _admin.Dispose();
        return _catalog.DisposeAsync();
    }

    [Fact]
    public async Task Public_keys_and_certificates_are_declared_too_and_what_the_catalog_generates_is_not()
    {
        using var ec = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        using var certificate = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=shop", ec, System.Security.Cryptography.HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(100));
        var document = Document("gold", Key);
        var credentials = document["applications"]![0]!["credentials"]!.AsArray();
        credentials.Add(new JsonObject { ["name"] = "signer", ["type"] = "public-key", ["keyId"] = "declared-1", ["publicKey"] = ec.ExportSubjectPublicKeyInfoPem() });
        credentials.Add(new JsonObject { ["name"] = "client", ["type"] = "client-key", ["publicKey"] = ec.ExportSubjectPublicKeyInfoPem() });
        credentials.Add(new JsonObject { ["name"] = "tls", ["type"] = "certificate", ["certificate"] = certificate.ExportCertificatePem() });
        await ApplyAsync(document.DeepClone().AsObject());

        var snapshot = await _catalog.SnapshotAsync();
        Assert.Equal("declared-1", Assert.Single(snapshot.SigningKeys!).KeyId);
        Assert.Equal(certificate.GetCertHash(System.Security.Cryptography.HashAlgorithmName.SHA256), Assert.Single(snapshot.Certificates!).Thumbprint.ToArray());
        Assert.All(Actions(await ApplyAsync(document.DeepClone().AsObject())), static action => Assert.Equal("unchanged", action));

        // An export names them by type and name, and puts back as it is.
        var exported = JsonNode.Parse(await _admin.GetStringAsync("/admin/v1/export"))!.AsObject();
        Assert.Equal([null, "client-key", "public-key", "certificate"], exported["applications"]![0]!["credentials"]!.AsArray().Select(static credential => credential!["type"]?.GetValue<string>()));
        Assert.All(Actions(await ApplyAsync(exported)), static action => Assert.Equal("unchanged", action));

        credentials.Add(new JsonObject { ["name"] = "secret", ["type"] = "hmac" });
        credentials.Add(new JsonObject { ["name"] = "other", ["type"] = "public-key" });
        using var refused = await _admin.PostAsJsonAsync("/admin/v1/changesets", new JsonObject { ["puts"] = document });
        Assert.Equal(["/puts/applications/0/credentials/4/type", "/puts/applications/0/credentials/5/publicKey"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    /// <summary>As a new catalog gets it: the plan, and the API it is offered for, in one file.</summary>
    [Fact]
    public async Task A_plan_is_offered_for_an_API_of_the_same_changeset()
    {
        var puts = JsonNode.Parse(
            """
            {"backends":[{"name":"new","service":"new"}],"plans":[{"name":"special","apis":["new"]}],
             "apis":[{"name":"new","version":"v1","basePath":"/new/v1","backend":"new","operations":["GET /things"]}]}
            """)!.AsObject();

        Assert.All(Actions(await ApplyAsync(puts.DeepClone().AsObject())), static action => Assert.Equal("created", action));
        Assert.All(Actions(await ApplyAsync(puts)), static action => Assert.Equal("unchanged", action));
        using var deleted = await _admin.PostAsJsonAsync("/admin/v1/changesets", new { deletes = new { plans = new[] { "special" }, backends = new[] { "new" } } });
        Assert.Equal(["/deletes/backends/0"], await deleted.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_partner_is_declared_with_its_key_and_subscription_and_putting_it_again_changes_nothing()
    {
        var first = await ApplyAsync(Document("gold", Key));
        Assert.Equal(["created", "created", "created", "created"], Actions(first));
        var snapshot = await _catalog.SnapshotAsync();
        Assert.Equal([new(10, 1) { Burst = 5 }], snapshot.Plans.Single(static plan => plan.Name == "gold").RateLimits);
        Assert.Equal(["10.0.0.0/8"], Assert.Single(snapshot.Applications).Addresses!.Allow!);
        var hash = new byte[KeyHash.Size];
        Assert.True(KeyHash.TryCompute(System.Text.Encoding.UTF8.GetBytes(CatalogServer.Pepper), Key, hash));
        Assert.Equal(hash, Assert.Single(snapshot.Credentials).Hash.ToArray());
        var subscription = Assert.Single(snapshot.Subscriptions);

        Assert.All(Actions(await ApplyAsync(Document("gold", Key))), static action => Assert.Equal("unchanged", action));
        Assert.Equal(snapshot.Revision, (await _catalog.SnapshotAsync()).Revision);

        // Another plan: the same subscription; the credential that is not named stays.
        await ApplyAsync(Document("silver", key: null));
        var changed = Assert.Single((await _catalog.SnapshotAsync()).Subscriptions);
        Assert.Equal(subscription.SubscriptionId, changed.SubscriptionId);
        Assert.NotEqual(subscription.PlanId, changed.PlanId);
        Assert.Single((await _catalog.SnapshotAsync()).Credentials);
        Assert.DoesNotContain(Key, _catalog.Logs.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_exported_says_no_secret_and_puts_back_as_it_is()
    {
        await ApplyAsync(Document("gold", Key));
        var export = await _admin.GetStringAsync("/admin/v1/export", TestContext.Current.CancellationToken);
        Assert.DoesNotContain(Key, export, StringComparison.Ordinal);
        var document = JsonNode.Parse(export)!.AsObject();
        var puts = new JsonObject { ["plans"] = document["plans"]!.DeepClone(), ["applications"] = document["applications"]!.DeepClone() };
        Assert.All(Actions(await ApplyAsync(puts)), static action => Assert.Equal("unchanged", action));
    }

    [Theory]
    [InlineData("""{"plans":[{"name":"p","rateLimits":[{"requests":0,"windowSeconds":1}]}]}""", "/puts/plans/0/rateLimits/0/requests")]
    [InlineData("""{"plans":[{"name":"p","apis":["nothing"]}]}""", "/puts/plans/0/apis/0")]
    [InlineData("""{"plans":[{"name":"p","priorty":1}]}""", "/puts/plans/0/priorty")]
    [InlineData("""{"applications":[{"name":"a","organization":"nobody"}]}""", "/puts/applications/0/organization")]
    [InlineData("""{"organizations":[{"name":"o"}],"applications":[{"name":"a","organization":"o","credentials":[{"name":"x"}]}]}""", "/puts/applications/0/credentials/0/key")]
    [InlineData("""{"organizations":[{"name":"o"}],"applications":[{"name":"a","organization":"o","credentials":[{"key":"short"}]}]}""", "/puts/applications/0/credentials/0/key")]
    [InlineData("""{"organizations":[{"name":"o"}],"applications":[{"name":"a","organization":"o","subscriptions":[{"api":"orders/v9","plan":"x"}]}]}""", "/puts/applications/0/subscriptions/0/api")]
    [InlineData("""{"organizations":[{"name":"o"}],"applications":[{"name":"a","organization":"o","subscriptions":[{"api":"orders/v1","plan":"x"}]}]}""", "/puts/applications/0/subscriptions/0/plan")]
    [InlineData("""{"organizations":[{"name":"o"}],"plans":[{"name":"d","state":"draft"}],"applications":[{"name":"a","organization":"o","subscriptions":[{"api":"orders/v1","plan":"d"}]}]}""", "/puts/applications/0/subscriptions/0/plan")]
    public async Task What_cannot_be_is_named_where_it_stands(string puts, string pointer)
    {
        using var response = await _admin.PostAsJsonAsync("/admin/v1/changesets", new JsonObject { ["puts"] = JsonNode.Parse(puts) }, TestContext.Current.CancellationToken);
        Assert.Equal([pointer], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        Assert.Empty((await _catalog.SnapshotAsync()).Applications); // all or nothing
    }

    [Fact]
    public async Task A_deleted_application_takes_its_subscriptions_with_it()
    {
        await ApplyAsync(Document("gold", Key));
        await SendAsync(new JsonObject { ["deletes"] = new JsonObject { ["applications"] = new JsonArray("acme/shop") } });
        var snapshot = await _catalog.SnapshotAsync();
        Assert.Equal((0, 0, 0), (snapshot.Applications.Count, snapshot.Credentials.Count, snapshot.Subscriptions.Count));
        await SendAsync(new JsonObject { ["deletes"] = new JsonObject { ["organizations"] = new JsonArray("acme"), ["plans"] = new JsonArray("gold", "silver") } });
    }

    private static JsonObject Document(string plan, string? key) => new()
    {
        ["organizations"] = new JsonArray(new JsonObject { ["name"] = "acme" }),
        ["plans"] = new JsonArray(
            JsonNode.Parse("""{"name":"gold","rateLimits":[{"requests":10,"windowSeconds":1,"burst":5}],"quotas":[{"requests":1000,"period":"day"}],"schemes":["api-key","jwt"],"scopes":["orders:read"],"apis":["orders"]}"""),
            JsonNode.Parse("""{"name":"silver"}""")),
        ["applications"] = new JsonArray(new JsonObject
        {
            ["name"] = "shop", ["organization"] = "acme", ["addresses"] = JsonNode.Parse("""{"allow":["10.0.0.0/8"]}"""),
            ["credentials"] = key is null ? null : new JsonArray(new JsonObject { ["name"] = "ci", ["key"] = key }),
            ["subscriptions"] = new JsonArray(new JsonObject { ["api"] = "orders/v1", ["plan"] = plan }),
        }),
    };

    private Task<JsonObject> ApplyAsync(JsonObject puts) => SendAsync(new JsonObject { ["puts"] = puts });

    private async Task<JsonObject> SendAsync(JsonObject changeset)
    {
        using var response = await _admin.PostAsJsonAsync("/admin/v1/changesets", changeset, TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.Created, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return await response.JsonAsync();
    }

    private static IEnumerable<string> Actions(JsonObject applied) => applied["changes"]!.AsArray().Select(static change => change!["action"]!.GetValue<string>());
}
