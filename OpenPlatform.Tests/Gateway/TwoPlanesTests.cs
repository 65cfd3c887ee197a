using System.Net;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

/// <summary>The gateway with the catalog itself, on a real Postgres.</summary>
public sealed class TwoPlanesTests(SharedPostgres postgres)
{
    private const string DemoKey = "demo-key-of-two-planes-0123456789";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_seeded_key_gets_an_answer_and_each_answer_is_a_unit_in_Postgres()
    {
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync(), "Development", ("OpenPlatform:DemoKey", DemoKey));
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        await using var backend = await TestBackend.StartAsync();
        await using (var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false, settings:
        [
            ("services:catalog:http:0", admin.BaseAddress!.ToString()), ("services:orders:http:0", backend.Address.ToString()),
            ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper),
        ]))
        {
            using var client = gateway.Client(DemoKey);
            await Eventually.TrueAsync(async () =>
            {
                using var response = await client.GetAsync("/orders/v1/orders", Stop);
                return response.StatusCode == HttpStatusCode.OK;
            });
            for (var i = 1; i < 100; i++)
            {
                Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
            }
        }

        var usage = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/usage", Stop))!;
        Assert.Equal(100, usage["totalUnits"]!.GetValue<long>());

        // A right token helps nobody who comes through a proxy.
        using var through = catalog.Gateway();
        through.DefaultRequestHeaders.Add("Via", "1.1 openplatform");
        using var refused = await through.GetAsync(InternalApi.SnapshotPath, Stop);
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
    }
}
