using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Tests.Cli;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog.Gateways;

/// <summary>What gateways say of themselves, as operators see it.</summary>
[Collection(Beside.Name)]
public sealed class AcknowledgementTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_gateway_that_is_behind_or_refuses_a_shard_is_seen_with_how_far_how_late_and_why()
    {
        using var admin = fixture.Catalog.Operator();
        var old = await RevisionAsync(admin);
        for (var i = 0; i < 3; i++)
        {
            await admin.CreateAsync("backends", new { name = $"later-{i}", addresses = new[] { "http://10.0.0.1:8080" } });
        }

        var now = await RevisionAsync(admin);
        Assert.True(now > old);
        await AcknowledgeAsync(new("gw-behind", "http://10.0.0.7:8080", "zone-a", old, 1_234, [new("api.orders.v1", "the pattern of /orders is too complex")]));
        await AcknowledgeAsync(new("gw-current", null, null, now, 7, []));

        var behind = await GatewayAsync(admin, "gw-behind");
        Assert.Equal((old, now - old, 1_234L), (Number(behind, "revision"), Number(behind, "revisionsBehind"), Number(behind, "lagMs")));
        Assert.Equal(("http://10.0.0.7:8080", "zone-a"), (behind["address"]!.GetValue<string>(), behind["zone"]!.GetValue<string>()));
        var refused = Assert.Single(behind["refused"]!.AsArray())!;
        Assert.Equal(("api.orders.v1", "the pattern of /orders is too complex"), (refused["shard"]!.GetValue<string>(), refused["reason"]!.GetValue<string>()));
        var current = await GatewayAsync(admin, "gw-current");
        Assert.Equal((now, 0L, 7L), (Number(current, "revision"), Number(current, "revisionsBehind"), Number(current, "lagMs")));
        Assert.Empty(current["refused"]!.AsArray());

        // The same for who sits at a terminal.
        using var cli = new CliProcess();
        cli.With("OPENPLATFORM_SERVER", admin.BaseAddress!.ToString()).With("OPENPLATFORM_TOKEN", CatalogServer.AdminToken);
        var table = (await cli.RunAsync("get", "gateways")).Ended(0).Output;
        Assert.Matches($@"(?m)^gw-behind +http://10\.0\.0\.7:8080 +zone-a +{old} +{now - old} +1234 +\S+ +api\.orders\.v1 the pattern of /orders is too complex *$", table);
        Assert.Matches($@"(?m)^gw-current +{now} +0 +7 +\S+ *$", table);
        Assert.Equal(1_234, Number(JsonNode.Parse((await cli.RunAsync("get", "gateways", "gw-behind", "-o", "json")).Ended(0).Output)!, "lagMs"));

        // What it says next counts: it has caught up, and everything runs.
        await AcknowledgeAsync(new("gw-behind", "http://10.0.0.7:8080", "zone-a", now, 12, []));
        behind = await GatewayAsync(admin, "gw-behind");
        Assert.Equal((0L, 12L, 0), (Number(behind, "revisionsBehind"), Number(behind, "lagMs"), behind["refused"]!.AsArray().Count));
    }

    [Fact]
    public async Task What_is_no_acknowledgement_is_refused_and_changes_nothing()
    {
        using var admin = fixture.Catalog.Operator();
        ConfigAck right = new("gw-strict", null, null, 1, 5, []);
        await AcknowledgeAsync(right);
        ConfigAck[] wrong =
        [
            right with { LagMs = -1 }, right with { Gateway = "gw strict" }, right with { Gateway = "" }, right with { Zone = new('z', 65) }, right with { Address = new('a', 257) },
            right with { Refused = [new("shard", new('r', 2_001))] }, right with { Refused = [new(new('s', 129), "reason")] },
        ];
        using var gateway = fixture.Catalog.Gateway();
        foreach (var ack in wrong)
        {
            using var refused = await gateway.PostAsJsonAsync(InternalApi.AckPath, ack, Stop);
            await refused.ProblemAsync(HttpStatusCode.BadRequest);
        }

        using var stranger = await admin.PostAsJsonAsync(InternalApi.AckPath, right with { LagMs = 9 }, Stop);
        Assert.False(stranger.IsSuccessStatusCode); // an operator is no gateway
        Assert.Equal(5, Number(await GatewayAsync(admin, "gw-strict"), "lagMs"));
    }

    private async Task AcknowledgeAsync(ConfigAck ack)
    {
        using var gateway = fixture.Catalog.Gateway();
        using var answer = await gateway.PostAsJsonAsync(InternalApi.AckPath, ack, Stop);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
    }

    private static async Task<long> RevisionAsync(HttpClient admin) => Number(JsonNode.Parse(await admin.GetStringAsync("/admin/v1/config-revisions/current", Stop))!, "revision");

    private static async Task<JsonNode> GatewayAsync(HttpClient admin, string id) =>
        JsonNode.Parse(await admin.GetStringAsync("/admin/v1/gateways", Stop))!["items"]!.AsArray().Single(gateway => gateway!.Id() == id)!;

    private static long Number(JsonNode owner, string member) => owner[member]!.GetValue<long>();
}
