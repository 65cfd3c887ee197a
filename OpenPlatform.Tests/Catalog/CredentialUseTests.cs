using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Usage;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog;

/// <summary>When a credential was last used, from the gateway that saw it to the answer of the admin API.</summary>
public sealed class CredentialUseTests(SharedPostgres postgres)
{
    private const string DemoKey = "demo-key-of-credential-uses-0123456789";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_that_was_used_says_when_and_one_that_was_not_says_nothing()
    {
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync(), "Development", ("OpenPlatform:DemoKey", DemoKey));
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        await using var backend = await TestBackend.StartAsync();
        await using var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false, settings:
        [
            ("services:catalog:http:0", admin.BaseAddress!.ToString()), ("services:orders:http:0", backend.Address.ToString()),
            ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper),
            ("OpenPlatform:Gateway:Authentication:CredentialUsesInterval", "00:00:00.2"),
        ]);
        var used = Assert.Single(await CredentialsAsync(admin))!;
        await admin.CreateAsync("credentials", new { applicationId = used["applicationId"]!.GetValue<string>(), name = "spare" });
        using var client = gateway.Client(DemoKey);
        await Eventually.TrueAsync(async () =>
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            return response.StatusCode == HttpStatusCode.OK;
        });

        await Eventually.TrueAsync(async () => (await CredentialsAsync(admin)).Count(static credential => credential!["lastUsedOn"] is not null) == 1);

        var credentials = await CredentialsAsync(admin);
        Assert.Equal(DateTime.UtcNow, credentials.Single(credential => credential!.Id() == used.Id())!["lastUsedOn"]!.GetValue<DateTime>(), TimeSpan.FromDays(2));
        Assert.Equal("\"1\"", (await admin.GetAsync($"/admin/v1/credentials/{used.Id()}", Stop)).Headers.ETag?.Tag); // a use is no change

        using var known = new HttpRequestMessage(HttpMethod.Get, $"/admin/v1/credentials/{used.Id()}") { Headers = { IfNoneMatch = { new("\"1\"") } } };
        using var again = await admin.SendAsync(known, Stop); // known from before it was used
        Assert.NotNull((await again.JsonAsync())["lastUsedOn"]);

        // Told again, or late, it stays what it is; what cannot be is refused.
        using var service = catalog.Gateway();
        var today = DateOnly.FromDateTime(DateTime.UtcNow);
        Assert.Equal(HttpStatusCode.NoContent, await TellAsync(service, new(today.AddDays(-1), [Guid.Parse(used.Id()), Guid.NewGuid()])));
        Assert.Equal(credentials.Select(static credential => credential!["lastUsedOn"]?.GetValue<string>()), (await CredentialsAsync(admin)).Select(static credential => credential!["lastUsedOn"]?.GetValue<string>()));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await TellAsync(service, new(today.AddDays(9), [Guid.NewGuid()])));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, await TellAsync(service, new(today, [])));
    }

    private static async Task<JsonArray> CredentialsAsync(HttpClient admin) => (await admin.GetFromJsonAsync<JsonObject>("/admin/v1/credentials", Stop))!["items"]!.AsArray();

    private static async Task<HttpStatusCode> TellAsync(HttpClient service, CredentialUseReport report)
    {
        using var response = await service.PostAsJsonAsync(InternalApi.CredentialUsesPath, report, CredentialUseJson.Default.CredentialUseReport, Stop);
        return response.StatusCode;
    }
}
