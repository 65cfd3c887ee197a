using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Gateway.Usage;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

/// <summary>Billed equals served.</summary>
public sealed class UsageTests : IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Spool => Path.Combine(_state, UsageSpool.FolderName);

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public async Task Every_answer_of_the_backend_is_one_unit_and_a_refusal_is_none()
    {
        await using var backend = await TestBackend.StartAsync(static context =>
        {
            context.Response.StatusCode = context.Request.Path.Value!.EndsWith("404", StringComparison.Ordinal) ? 404 : 200;
            return context.Response.WriteAsync("answer", context.RequestAborted); // of no announced length
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using (var gateway = await GatewayHost.StartAsync(catalog, stateDirectory: _state))
        {
            using var client = gateway.Client();
            for (var i = 0; i < 10; i++)
            {
                using var listed = await client.GetAsync("/orders/v1/orders", Stop);
                using var missing = await client.GetAsync("/orders/v1/orders/404", Stop);
                using var unknown = await client.GetAsync("/orders/v1/nothing", Stop);
            }

            using var stranger = gateway.Client(TestSnapshot.StrangerKey);
            using var refused = await stranger.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        }

        // The graceful stop has delivered everything.
        Assert.Equal(20, catalog.Units);
        Assert.All(catalog.Usage, static i =>
        {
            Assert.Equal((TestSnapshot.SubscriptionId, TestSnapshot.Subscriber, TestSnapshot.VersionId), (i.SubscriptionId, i.ApplicationId, i.VersionId));
            Assert.Equal(0, i.Minute.UtcTicks % TimeSpan.TicksPerMinute);
        });
        Assert.Equal(10, catalog.Usage.Where(static i => i is { OperationId: "listOrders", Status: 200 }).Sum(static i => i.Units));
        Assert.Equal(10, catalog.Usage.Where(static i => i is { OperationId: "getOrder", Status: 404 }).Sum(static i => i.Units));
        Assert.Empty(Directory.EnumerateFiles(Spool));
    }

    [Fact]
    public async Task Under_constant_load_usage_is_posted_once_a_round_and_not_without_pause()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        await using (var gateway = await GatewayHost.StartAsync(catalog, stateDirectory: _state))
        {
            using var client = gateway.Client();
            for (var i = 0; i < 1000; i++)
            {
                using var answer = await client.GetAsync("/orders/v1/orders", Stop);
            }
        }

        // A round lasts at least 0.8 s; one more at the start, one at the stop.
        Assert.InRange(catalog.Batches.Count, 1, 2 + (int)(watch.Elapsed.TotalSeconds / 0.8));
        Assert.Equal(1000, catalog.Units);
    }

    [Fact]
    public async Task An_answer_that_the_backend_breaks_off_is_not_billed()
    {
        await using var backend = await TestBackend.StartAsync(static async context =>
        {
            context.Response.ContentLength = 100;
            await context.Response.WriteAsync("half", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            context.Abort();
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using (var gateway = await GatewayHost.StartAsync(catalog, stateDirectory: _state))
        {
            using var client = gateway.Client();
            await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync("/orders/v1/orders", Stop));
        }

        Assert.Equal(0, catalog.Units);
    }

    [Fact]
    public async Task While_the_catalog_takes_nothing_counting_goes_on_in_bounded_space()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog, stateDirectory: _state);
        catalog.RefusesUsage = true;
        using var client = gateway.Client();
        var spool = gateway.Services.GetRequiredService<UsageSpool>();
        for (var i = 0; i < 50; i++)
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
            spool.Seal(); // what the shipper does every second
        }

        Assert.Equal(2, Directory.GetFiles(Spool).Length); // one waits, one counts
        catalog.RefusesUsage = false;
        await Eventually.TrueAsync(() => catalog.Units == 50);
    }

    [Fact]
    public async Task More_kinds_of_answers_than_a_segment_holds_fill_several()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")]));
        await using (var gateway = await GatewayHost.StartAsync(catalog, stateDirectory: _state))
        {
            var spool = gateway.Services.GetRequiredService<UsageSpool>();
            var snapshot = gateway.Snapshot.Current!;
            var subscription = snapshot.FindApplication(TestSnapshot.Subscriber)!.Find(TestSnapshot.VersionId)!;
            var operation = snapshot.Routes.Find("/orders/v1/orders", "GET", out _)!;
            Parallel.For(0, 30_000, i => spool.Count(subscription, operation with { OperationId = $"operation-{i % 15_000}" }, 200));
        }

        Assert.Equal(30_000, catalog.Units);
        Assert.All(catalog.Batches.Values, static batch => Assert.InRange(batch.Items.Count, 1, 10_000));
        Assert.Equal(Enumerable.Range(1, catalog.Batches.Count).Select(static i => (long)i), catalog.Batches.Values.Select(static b => b.Sequence).Order());
    }

    [Fact]
    public async Task A_killed_gateway_loses_no_unit_the_next_one_ships_what_it_left()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var killed = await Processes.StartGatewayAsync(catalog, _state);
        catalog.RefusesUsage = true; // so that all of it is left behind
        var load = Load.Start(killed.Client, "/orders/v1/orders", clients: 4);
        await Eventually.TrueAsync(() => load.Answers > 1000);
        killed.Kill();
        await load.StopAsync();
        await killed.ExitCodeAsync();
        Assert.NotEmpty(Directory.EnumerateFiles(Spool));

        catalog.RefusesUsage = false;
        await using var next = await GatewayHost.StartAsync(catalog, stateDirectory: _state);
        await Eventually.TrueAsync(() => catalog.Units >= load.Answers);

        // An answer is counted immediately before its last byte goes out: a kill between the two costs at most what four clients had under way.
        Assert.InRange(catalog.Units, load.Answers, load.Answers + 4);
        await Eventually.TrueAsync(() => Directory.GetFiles(Spool).Length == 1);
    }

    [Fact]
    public async Task A_damaged_segment_is_set_aside_and_the_others_are_shipped()
    {
        Directory.CreateDirectory(Spool);
        await File.WriteAllTextAsync(Path.Combine(Spool, "00000000000000000000000000000000-00000001.spool"), new string('x', 1000), Stop);
        await File.WriteAllBytesAsync(Path.Combine(Spool, "00000000000000000000000000000000-00000002.spool"), new byte[5000], Stop);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")]));
        await using var gateway = await GatewayHost.StartAsync(catalog, stateDirectory: _state);
        await Eventually.TrueAsync(() => Directory.GetFiles(Spool, "*.corrupt").Length == 1 && Directory.GetFiles(Spool, "0000*.spool").Length == 0);
        Assert.Empty(catalog.Batches);
    }
}
