using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Forwarding;

/// <summary>Second tries: what may be repeated, with which body, and how often.</summary>
public sealed class RetryTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static async Task Echo(HttpContext context) =>
        await context.Response.WriteAsync(await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted), context.RequestAborted);

    /// <summary>Reads the whole request and then cuts the connection.</summary>
    private static async Task ReadAndBreak(HttpContext context)
    {
        await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        context.Abort();
    }

    private static Task Busy(HttpContext context)
    {
        context.Response.StatusCode = 503;
        return context.Response.WriteAsync("busy", context.RequestAborted);
    }

    [Fact]
    public async Task A_PUT_is_sent_again_with_its_body()
    {
        await using var broken = await TestBackend.StartAsync(ReadAndBreak);
        await using var good = await TestBackend.StartAsync(Echo);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([broken.Address, good.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        var body = new string('x', 60_000);
        for (var i = 0; broken.Calls < 2; i++)
        {
            HttpContent content = i % 2 == 0 ? new StringContent(body) : new ChunkedContent(body);
            using var response = await client.PutAsync("/orders/v1/orders/1", content, Stop);
            Assert.Equal(body, await response.Content.ReadAsStringAsync(Stop));
        }
    }

    [Fact]
    public async Task A_body_larger_than_is_kept_is_not_sent_again()
    {
        await using var broken = await TestBackend.StartAsync(ReadAndBreak);
        await using var alsoBroken = await TestBackend.StartAsync(ReadAndBreak);
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([broken.Address, alsoBroken.Address]).WithPolicies(new() { Retry = new(MaxBodyBytes: 1000) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var announced = await client.PutAsync("/orders/v1/orders/1", new StringContent(new string('x', 1001)), Stop);
        await PipelineTests.AssertRefusedAsync(announced, HttpStatusCode.BadGateway, "backend-failed");
        Assert.Equal(1, broken.Calls + alsoBroken.Calls);
        using var chunked = await client.PutAsync("/orders/v1/orders/1", new ChunkedContent(new string('x', 1001)), Stop);
        await PipelineTests.AssertRefusedAsync(chunked, HttpStatusCode.BadGateway, "backend-failed");
        Assert.Equal(2, broken.Calls + alsoBroken.Calls);
        using var fits = await client.PutAsync("/orders/v1/orders/1", new StringContent(new string('x', 1000)), Stop);
        await PipelineTests.AssertRefusedAsync(fits, HttpStatusCode.BadGateway, "backend-failed");
        Assert.Equal(4, broken.Calls + alsoBroken.Calls);
    }

    [Fact]
    public async Task A_POST_is_repeated_only_where_its_operation_says_that_it_may_be()
    {
        await using var broken = await TestBackend.StartAsync(ReadAndBreak);
        await using var alsoBroken = await TestBackend.StartAsync(ReadAndBreak);
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([broken.Address, alsoBroken.Address]).WithOperation("searchOrders", new() { Idempotent = true }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var create = await client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop);
        Assert.Equal(HttpStatusCode.BadGateway, create.StatusCode);
        Assert.Equal(1, broken.Calls + alsoBroken.Calls);
        using var search = await client.PostAsync("/orders/v1/orders/search", new StringContent("{}"), Stop);
        Assert.Equal(HttpStatusCode.BadGateway, search.StatusCode);
        Assert.Equal(3, broken.Calls + alsoBroken.Calls);
    }

    [Fact]
    public async Task A_chosen_status_is_reason_to_ask_another_instance_and_the_last_one_is_passed_on()
    {
        await using var busy = await TestBackend.StartAsync(Busy);
        await using var good = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([busy.Address, good.Address]).WithPolicies(new() { Retry = new(Statuses: [503]) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        while (busy.Calls < 2)
        {
            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        }

        catalog.Publish(TestSnapshot.Create([busy.Address], revision: 2).WithPolicies(new() { Retry = new(Statuses: [503]) }));
        await Fixtures.Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == 2);
        using var alone = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal("busy", await alone.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task Without_a_policy_a_5xx_is_an_answer()
    {
        await using var busy = await TestBackend.StartAsync(Busy);
        await using var alsoBusy = await TestBackend.StartAsync(Busy);
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([busy.Address, alsoBusy.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal("busy", await response.Content.ReadAsStringAsync(Stop));
        Assert.Equal(1, busy.Calls + alsoBusy.Calls);
    }

    [Fact]
    public async Task When_everything_fails_retries_add_a_tenth_and_no_more()
    {
        await using var busy = await TestBackend.StartAsync(Busy);
        await using var alsoBusy = await TestBackend.StartAsync(Busy);
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([busy.Address, alsoBusy.Address]).WithPolicies(new() { Retry = new(Statuses: [503]) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        const int Requests = 1000;
        for (var i = 0; i < Requests; i++)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        }

        var tries = busy.Calls + alsoBusy.Calls - Requests;
        Assert.InRange(tries, RetryBudget.Burst, RetryBudget.Burst + (Requests / 10));
    }

    /// <summary>Of unknown length, in pieces.</summary>
    private sealed class ChunkedContent(string text) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            foreach (var piece in Encoding.ASCII.GetBytes(text).Chunk(999))
            {
                await stream.WriteAsync(piece);
                await stream.FlushAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
