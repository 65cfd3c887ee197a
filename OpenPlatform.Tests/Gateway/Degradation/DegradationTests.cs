using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Gateway.Degradation;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Degradation;

/// <summary>What stands in for a backend that is switched off, broken or given up by its breaker, and how a client sees it.</summary>
public sealed class DegradationTests
{
    private static readonly Uri Dead = new("http://127.0.0.1:9");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_kept_answer_stands_in_for_a_dead_backend_and_is_not_billed()
    {
        var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Cache = new(), Degradation = new() }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        await Eventually.TrueAsync(() => gateway.Services.GetRequiredService<ResponseCache>().Bytes > 0);
        await backend.DisposeAsync();

        using var stale = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal("hello", await stale.Content.ReadAsStringAsync(Stop));
        AssertMarked(stale, "stale", "connection_refused");
        Assert.StartsWith("openplatform; hit; ttl=", stale.Headers.GetValues("Cache-Status").Single(), StringComparison.Ordinal);
        using var never = await client.GetAsync("/orders/v1/orders/1", Stop);
        await PipelineTests.AssertRefusedAsync(never, HttpStatusCode.BadGateway, "backend-unreachable");
        await Eventually.TrueAsync(() => catalog.Units == 1);
    }

    [Theory]
    [InlineData(true, 503, 200)]
    [InlineData(true, 500, 200)]
    [InlineData(true, 501, 501)] // says what the backend can, not that it fails
    [InlineData(false, 503, 503)]
    public async Task A_kept_answer_stands_in_for_a_server_error_where_the_policy_says_so(bool stands, int status, int seen)
    {
        var answer = 200;
        await using var backend = await TestBackend.StartAsync(context =>
        {
            context.Response.StatusCode = Volatile.Read(ref answer);
            return context.Response.WriteAsync($"answer {answer}", context.RequestAborted);
        });
        await using var catalog = await TestCatalog.StartAsync(
            TestSnapshot.Create([backend.Address]).WithPolicies(new() { Cache = new(), Degradation = new(StaleForServerErrors: stands) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        Assert.Equal("answer 200", await client.GetStringAsync("/orders/v1/orders", Stop));
        await Eventually.TrueAsync(() => gateway.Services.GetRequiredService<ResponseCache>().Bytes > 0);
        Volatile.Write(ref answer, status);

        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(seen, (int)response.StatusCode);
        Assert.Equal($"answer {seen}", await response.Content.ReadAsStringAsync(Stop));
        Assert.Equal(2, backend.Calls);
        Assert.Equal(seen == 200 ? ["stale"] : null, response.Headers.TryGetValues("X-Degraded", out var degraded) ? degraded : null);
        Assert.Equal(seen == 200 ? [$"openplatform; received-status={status}"] : null, response.Headers.TryGetValues("Proxy-Status", out var proxy) ? proxy : null);

        // What was never kept is the backend's own error.
        using var never = await client.GetAsync("/orders/v1/orders/1", Stop);
        Assert.Equal($"answer {status}", await never.Content.ReadAsStringAsync(Stop));
        await Eventually.TrueAsync(() => catalog.Units == (seen == 200 ? 2 : 3)); // who degrades does not bill
    }

    [Fact]
    public async Task A_static_answer_stands_in_for_reads_and_not_for_writes()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([Dead]).WithPolicies(new()
        {
            Degradation = new(Static: new(200, "application/json", """{"orders":[]}""")),
        }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var read = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal("""{"orders":[]}""", await read.Content.ReadAsStringAsync(Stop));
        AssertMarked(read, "static", "connection_refused");
        using var write = await client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop);
        await PipelineTests.AssertRefusedAsync(write, HttpStatusCode.BadGateway, "backend-unreachable");
    }

    [Fact]
    public async Task The_switch_spares_the_backend_and_the_alternate_answers()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var alternate = await TestBackend.StartAsync(static context => context.Response.WriteAsync("alternate"));
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithOtherBackend(alternate.Address)
            .WithPolicies(new() { Degradation = new(Switched: true, PolicySnapshots.OtherBackendId) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop);
        Assert.Equal("alternate", await response.Content.ReadAsStringAsync(Stop));
        AssertMarked(response, "alternate", "proxy_internal_response");
        Assert.Equal(0, backend.Calls);

        catalog.Publish(TestSnapshot.Create([backend.Address], revision: 2).WithPolicies(new() { Degradation = new(Switched: true) }));
        await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == 2);
        using var nothing = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(nothing, HttpStatusCode.ServiceUnavailable, "backend-switched-off");
    }

    [Fact]
    public async Task The_alternate_answers_while_the_breaker_is_open_and_says_nothing_about_the_backend()
    {
        await using var backend = await TestBackend.StartAsync(static context =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        await using var alternate = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithOtherBackend(alternate.Address)
            .WithPolicies(new() { Breaker = new(MinimumRequests: 5, OpenSeconds: 600), Degradation = new(AlternateBackendId: PolicySnapshots.OtherBackendId) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 5; i++)
        {
            using var failed = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode); // an answer of the backend is its own
        }

        for (var i = 0; i < 10; i++)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal("hello", await response.Content.ReadAsStringAsync(Stop));
            AssertMarked(response, "alternate", "destination_unavailable");
        }

        Assert.Equal(5, backend.Calls);
    }

    [Fact]
    public async Task The_alternate_takes_over_a_request_that_failed_and_may_be_repeated()
    {
        await using var broken = await TestBackend.StartAsync(static async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            context.Abort();
        });
        await using var alternate = await TestBackend.StartAsync(static async context =>
            await context.Response.WriteAsync(await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted), context.RequestAborted));
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([broken.Address]).WithOtherBackend(alternate.Address)
            .WithPolicies(new() { Degradation = new(AlternateBackendId: PolicySnapshots.OtherBackendId) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var put = await client.PutAsync("/orders/v1/orders/1", new StringContent("order"), Stop);
        Assert.Equal("order", await put.Content.ReadAsStringAsync(Stop));
        AssertMarked(put, "alternate", "connection_terminated");
        using var post = await client.PostAsync("/orders/v1/orders", new StringContent("order"), Stop);
        await PipelineTests.AssertRefusedAsync(post, HttpStatusCode.BadGateway, "backend-failed"); // it may have had an effect
    }

    private static void AssertMarked(HttpResponseMessage response, string kind, string error)
    {
        Assert.Equal(kind, response.Headers.GetValues("X-Degraded").Single());
        Assert.Equal($"openplatform; error={error}", response.Headers.GetValues("Proxy-Status").Single());
    }
}
