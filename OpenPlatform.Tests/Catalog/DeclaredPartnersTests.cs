using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Plans and applications in changesets: what is exported is what is put.</summary>
[Collection(Beside.Name)]
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
    [InlineData("""{"apis":[{"name":"p","version":"v1","basePath":"/p","backend":"orders","operations":["GET /"],"policies":"none"}]}""", "/puts/apis/0/policies")]
    [InlineData("""{"apis":[{"name":"p","version":"v1","basePath":"/p","backend":"orders","operations":["GET /"],"lifecycle":"retired"}]}""", "/puts/apis/0/lifecycle")]
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

    /// <summary>Paused, waiting, approved, asking for another plan, suspended, blocked, deprecated, retired: in another catalog it is the same again.</summary>
    [Fact]
    public async Task Every_state_goes_through_an_export_into_an_empty_catalog()
    {
        await ApplyAsync(JsonNode.Parse(
            """
            {"organizations":[{"name":"acme"}],
             "plans":[{"name":"open"},{"name":"asks","approvalRequired":true},{"name":"old"},{"name":"sketch","state":"draft"}],
             "apis":[
              {"name":"life","version":"v1","basePath":"/life/v1","backend":"orders","operations":["GET /things"]},
              {"name":"life","version":"v2","basePath":"/life/v2","backend":"orders","operations":["GET /things"]},
              {"name":"life","version":"v0","basePath":"/life/v0","backend":"orders","operations":["GET /things"],"blocked":{"reason":"leaks"}}],
             "applications":[
              {"name":"approved","organization":"acme","subscriptions":[{"api":"orders/v1","plan":"asks"}]},
              {"name":"asking","organization":"acme","subscriptions":[{"api":"orders/v1","plan":"open"}]},
              {"name":"left","organization":"acme","subscriptions":[{"api":"life/v2","plan":"old"}]},
              {"name":"paused","organization":"acme","subscriptions":[{"api":"orders/v1","plan":"open"}]},
              {"name":"suspended","organization":"acme","suspended":true,"subscriptions":[{"api":"life/v0","plan":"open"}]},
              {"name":"waiting","organization":"acme","subscriptions":[{"api":"orders/v1","plan":"asks"}]}]}
            """)!.AsObject());
        var subscriptions = await SubscriptionsAsync(_admin);
        await ActAsync($"subscriptions/{subscriptions["approved"].Id()}:approve");
        await ActAsync($"subscriptions/{subscriptions["asking"].Id()}:changePlan", new { planId = subscriptions["approved"]["planId"]!.GetValue<string>() });
        await ActAsync($"subscriptions/{subscriptions["paused"].Id()}:pause");
        await ActAsync($"plans/{subscriptions["left"]["planId"]!.GetValue<string>()}:retire");
        var export = await ExportAsync(_admin);
        foreach (var (version, end) in new[] { ("v0", """{"state":"deprecated","successor":"/life/v2"}"""), ("v2", """{"state":"retired","documentation":"https://example.com/end"}""") })
        {
            export["apis"]!.AsArray().Single(api => api!["basePath"]!.GetValue<string>() == "/life/" + version)!["lifecycle"] = JsonNode.Parse(end);
        }

        await ApplyAsync(export);
        export = await ExportAsync(_admin);
        Assert.All(Actions(await ApplyAsync(export.DeepClone().AsObject())), static action => Assert.Equal("unchanged", action));

        await using var empty = new CatalogServer(await postgres.CreateDatabaseAsync());
        await empty.ReadyAsync();
        using var other = empty.Operator();
        using var imported = await other.PostAsJsonAsync("/admin/v1/changesets", new JsonObject { ["puts"] = export.DeepClone() }, TestContext.Current.CancellationToken);
        Assert.True(imported.StatusCode == HttpStatusCode.Created, await imported.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

        Assert.Equal(export.ToJsonString(), (await ExportAsync(other)).ToJsonString());
        var states = (await SubscriptionsAsync(other)).OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => $"{pair.Key} {pair.Value["state"]}{(pair.Value["pendingPlanId"] is null ? "" : " asks")}");
        Assert.Equal(["approved active", "asking active asks", "left active", "paused paused", "suspended active", "waiting pending"], states);

        // What is left out has its default: the pause ends, and what was approved stays so.
        foreach (var application in export["applications"]!.AsArray())
        {
            application!["subscriptions"]![0]!.AsObject().Remove("state");
        }

        await ApplyAsync(export.DeepClone().AsObject());
        subscriptions = await SubscriptionsAsync(_admin);
        Assert.Equal(("active", "active", "pending"), ($"{subscriptions["paused"]["state"]}", $"{subscriptions["approved"]["state"]}", $"{subscriptions["waiting"]["state"]}"));
        export["applications"]![0]!["subscriptions"]![0]!["state"] = "pending";
        using var back = await _admin.PostAsJsonAsync("/admin/v1/changesets", new JsonObject { ["puts"] = export }, TestContext.Current.CancellationToken);
        Assert.Equal(["/puts/applications/0/subscriptions/0/state"], await back.ProblemAsync(HttpStatusCode.UnprocessableEntity));

        async Task ActAsync(string path, object? body = null)
        {
            using var response = await _admin.ActAsync(path, "*", body);
            Assert.True(response.IsSuccessStatusCode, $"{path}: {await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}");
        }
    }

    [Fact]
    public async Task A_split_names_an_application_of_the_same_changeset()
    {
        var puts = JsonNode.Parse(
            """
            {"organizations":[{"name":"acme"}],"backends":[{"name":"canary","service":"canary"}],"plans":[{"name":"open"}],
             "apis":[{"name":"new","version":"v1","basePath":"/new/v1","backend":"orders","operations":["GET /things"],
                      "policies":{"split":{"variants":[{"name":"canary","backend":"canary","applications":["acme/shop","acme/late"]}]}}}],
             "applications":[{"name":"shop","organization":"acme","subscriptions":[{"api":"new/v1","plan":"open"}]},{"name":"late","organization":"acme","suspended":true}]}
            """)!.AsObject();

        Assert.All(Actions(await ApplyAsync(puts.DeepClone().AsObject())), static action => Assert.Equal("created", action));

        var snapshot = await _catalog.SnapshotAsync();
        Assert.Equal(snapshot.Applications.Select(static application => application.ApplicationId).Order(),
            snapshot.Apis.Single(static api => api.Name == "new").Policies!.Split!.Variants.Single().Applications!.Order());
        Assert.All(Actions(await ApplyAsync(puts.DeepClone().AsObject())), static action => Assert.Equal("unchanged", action));
        puts["apis"]![0]!["policies"]!["split"]!["variants"]![0]!["applications"]![1] = "acme/nobody";
        using var refused = await _admin.PostAsJsonAsync("/admin/v1/changesets", new JsonObject { ["puts"] = puts }, TestContext.Current.CancellationToken);
        Assert.Contains("/puts/apis/0/policies/split/variants/0/applications/1", await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
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

    private static async Task<JsonObject> ExportAsync(HttpClient admin) => JsonNode.Parse(await admin.GetStringAsync("/admin/v1/export", TestContext.Current.CancellationToken))!.AsObject();

    /// <summary>By the name of their application, each of which has one.</summary>
    private static async Task<Dictionary<string, JsonNode>> SubscriptionsAsync(HttpClient admin)
    {
        var stop = TestContext.Current.CancellationToken;
        var names = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/applications", stop))!["items"]!.AsArray().ToDictionary(static a => a!.Id(), static a => a!["name"]!.GetValue<string>());
        return JsonNode.Parse(await admin.GetStringAsync("/admin/v1/subscriptions", stop))!["items"]!.AsArray().ToDictionary(s => names[s!["applicationId"]!.GetValue<string>()], static s => s!);
    }

    private Task<JsonObject> ApplyAsync(JsonObject puts) => SendAsync(new JsonObject { ["puts"] = puts });

    private async Task<JsonObject> SendAsync(JsonObject changeset)
    {
        using var response = await _admin.PostAsJsonAsync("/admin/v1/changesets", changeset, TestContext.Current.CancellationToken);
        Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.Created, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return await response.JsonAsync();
    }

    private static IEnumerable<string> Actions(JsonObject applied) => applied["changes"]!.AsArray().Select(static change => change!["action"]!.GetValue<string>());
}
