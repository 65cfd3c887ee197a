using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.ServiceDefaults.Instances;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

/// <summary>What happens between the gateway and the instances.</summary>
public sealed class ForwardingTests
{
    /// <summary>Nobody listens there: the discard port, which needs a privilege to be bound.</summary>
    private static readonly Uri Dead = new("http://127.0.0.1:9");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_instance_is_503_with_Retry_After()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "nowhere"));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.ServiceUnavailable, "no-instance");
        Assert.Equal(TimeSpan.FromSeconds(1), response.Headers.RetryAfter?.Delta);
    }

    [Fact]
    public async Task A_backend_that_cannot_be_reached_is_502()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([Dead]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 3; i++) // the second finds it ejected already
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.BadGateway, "backend-unreachable");
        }
    }

    [Fact]
    public async Task A_backend_that_does_not_answer_in_time_is_504()
    {
        await using var backend = await TestBackend.StartAsync(static context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Forwarding:ActivityTimeout", "00:00:00.2"));
        using var client = gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.GatewayTimeout, "backend-timeout");
        Assert.Single(backend.Requests); // slow is not dead: it is not asked again
    }

    [Fact]
    public async Task A_backend_that_breaks_off_is_502_for_what_may_not_be_repeated_and_nothing_for_what_may()
    {
        await using var broken = await TestBackend.StartAsync(static context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        await using var good = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([broken.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var post = await client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop);
        await PipelineTests.AssertRefusedAsync(post, HttpStatusCode.BadGateway, "backend-failed");
        Assert.Single(broken.Requests);

        catalog.Publish(TestSnapshot.Create([broken.Address, good.Address], revision: 2));
        await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == 2);
        for (var i = 0; i < 20; i++)
        {
            using var get = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.OK, get.StatusCode);
        }

        Assert.True(broken.Requests.Count > 1); // it was tried, and the client did not notice
    }

    [Fact]
    public async Task When_nothing_was_sent_even_a_request_with_a_body_goes_to_another_instance()
    {
        await using var backend = await TestBackend.StartAsync(static async context =>
            await context.Response.WriteAsync(await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted), context.RequestAborted));
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([Dead, backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 20; i++)
        {
            using var response = await client.PostAsync("/orders/v1/orders", new StringContent($"order {i}"), Stop);
            Assert.Equal($"order {i}", await response.Content.ReadAsStringAsync(Stop));
        }
    }

    [Fact]
    public async Task An_ejected_instance_is_taken_back_when_it_answers_again()
    {
        var first = await TestBackend.StartAsync();
        await using var second = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([first.Address, second.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        await first.DisposeAsync();
        await Eventually.TrueAsync(async () =>
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
            return gateway.Snapshot.Current!.Backends[0].Ready.Any(static i => i.IsEjected);
        });

        await using var back = await TestBackend.StartAsync(port: first.Address.Port);
        await Eventually.TrueAsync(async () =>
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
            return !back.Requests.IsEmpty && gateway.Snapshot.Current!.Backends[0].Ready.All(static i => !i.IsEjected);
        });
    }

    [Fact]
    public async Task A_killed_backend_costs_no_idempotent_request()
    {
        await using var stays = await TestBackend.StartAsync();
        await using var dies = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([stays.Address, dies.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);

        var load = Load.Start(() => gateway.Client(), "/orders/v1/orders");
        await Eventually.TrueAsync(() => dies.Requests.Count > 200);
        await dies.KillAsync();
        var served = stays.Requests.Count;
        await Eventually.TrueAsync(() => stays.Requests.Count > served + 500);
        Assert.Empty(await load.StopAsync());
    }

    [Fact]
    public async Task The_internal_API_of_the_catalog_is_out_of_reach_even_when_a_backend_is_its_address()
    {
        await using var catalog = await TestCatalog.StartAsync(null);
        catalog.Publish(TestSnapshot.Create([catalog.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        var path = "/orders/v1" + InternalApi.SnapshotPath;

        using var forwarded = await client.GetAsync(path, Stop);
        Assert.Equal(HttpStatusCode.NotFound, forwarded.StatusCode);

        client.DefaultRequestHeaders.Authorization = new("Bearer", TestCatalog.Token);
        using var withToken = await client.GetAsync(path, Stop);
        Assert.Equal(HttpStatusCode.Unauthorized, withToken.StatusCode); // a second key, to the gateway
    }

    [Fact]
    public async Task A_body_larger_than_allowed_is_413_and_a_large_one_is_streamed()
    {
        await using var backend = await TestBackend.StartAsync(static async context =>
        {
            var buffer = new byte[64 << 10];
            long total = 0;
            int read;
            while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
            {
                total += read;
            }

            await context.Response.WriteAsync($"{total}", context.RequestAborted);
        });
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Forwarding:MaxRequestBodyBytes", "20000000"));
        using var client = gateway.Client();
        using var fits = await client.PostAsync("/orders/v1/orders", new ByteArrayContent(new byte[20_000_000]), Stop);
        Assert.True(fits.IsSuccessStatusCode, await fits.Content.ReadAsStringAsync(Stop));
        Assert.Equal("20000000", await fits.Content.ReadAsStringAsync(Stop));

        using var request = new HttpRequestMessage(HttpMethod.Post, "/orders/v1/orders") { Content = new ByteArrayContent(new byte[20_000_001]), Headers = { ExpectContinue = true } };
        using var tooLarge = await client.SendAsync(request, Stop);
        await PipelineTests.AssertRefusedAsync(tooLarge, HttpStatusCode.RequestEntityTooLarge, "request-body-too-large");
    }

    [Fact]
    public async Task Configuration_is_the_last_source_of_addresses()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "orders"));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("services:orders:http:0", backend.Address.ToString()));
        using var client = gateway.Client();
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
    }

    [Fact]
    public async Task An_empty_answer_of_the_registry_never_replaces_a_view()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "orders"));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var directory = gateway.Services.GetRequiredService<InstanceDirectory>();
        var state = gateway.Snapshot.Current!.Backends[0];
        directory.Apply(state, [Lease(backend.Address)]);
        directory.Apply(state, []);
        using var client = gateway.Client();
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));

        // All of them leaving is an answer, not the lack of one.
        directory.Apply(state, [Lease(backend.Address) with { Status = InstanceStatus.Draining }]);
        using var draining = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, draining.StatusCode);
    }

    private static InstanceLease Lease(Uri address) =>
        new("orders", "orders-1", address, null, 100, InstanceStatus.Ready, DateTimeOffset.MaxValue);
}
