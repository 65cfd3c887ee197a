using System.Net;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Resilience;

public sealed class CircuitBreakerTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void It_opens_at_its_share_of_failures_and_not_before_there_are_enough_requests()
    {
        var breaker = new CircuitBreaker(new(FailurePercent: 50, MinimumRequests: 10));
        for (var i = 0; i < 9; i++)
        {
            Assert.False(breaker.Leave(BreakerDecision.Allowed, success: i % 2 == 0, now: 1000));
        }

        Assert.True(breaker.Leave(BreakerDecision.Allowed, success: false, now: 1000)); // 5 of 10
        Assert.Equal(BreakerDecision.Refused, breaker.TryEnter(1001));
    }

    [Fact]
    public void Failures_older_than_the_window_count_no_more()
    {
        var breaker = new CircuitBreaker(new(FailurePercent: 50, MinimumRequests: 10, WindowSeconds: 8));
        for (var i = 0; i < 9; i++)
        {
            breaker.Leave(BreakerDecision.Allowed, success: false, now: 1000);
        }

        Assert.False(breaker.Leave(BreakerDecision.Allowed, success: false, now: 9000));
        Assert.False(breaker.IsOpen);
    }

    [Fact]
    public void One_request_at_a_time_finds_out_whether_the_backend_is_back()
    {
        var breaker = new CircuitBreaker(new(MinimumRequests: 1, OpenSeconds: 5));
        Assert.True(breaker.Leave(BreakerDecision.Allowed, success: false, now: 1000));
        Assert.Equal(BreakerDecision.Refused, breaker.TryEnter(5999));
        Assert.Equal(1, Probes(6000));
        Assert.False(breaker.Leave(BreakerDecision.Probe, success: false, now: 6500)); // still broken: five seconds more
        Assert.Equal(0, Probes(11_499));
        Assert.Equal(1, Probes(11_500));
        breaker.Leave(BreakerDecision.Probe, success: null, now: 11_600); // that client left: the next one finds out
        Assert.Equal(1, Probes(11_601));
        Assert.False(breaker.Leave(BreakerDecision.Allowed, success: true, now: 11_602)); // a straggler of before proves nothing
        Assert.True(breaker.Leave(BreakerDecision.Probe, success: true, now: 11_700));
        Assert.Equal(BreakerDecision.Allowed, breaker.TryEnter(11_701));

        int Probes(long now)
        {
            var probes = 0;
            Parallel.For(0, 100, _ => Interlocked.Add(ref probes, breaker.TryEnter(now) == BreakerDecision.Probe ? 1 : 0));
            return probes;
        }
    }

    [Fact]
    public async Task A_failing_API_is_refused_at_once_until_a_probe_succeeds_and_a_new_revision_changes_nothing_about_it()
    {
        var fails = true;
        await using var backend = await TestBackend.StartAsync(context =>
        {
            context.Response.StatusCode = fails ? 500 : 200;
            return Task.CompletedTask;
        });
        var policies = new ApiPolicies { Breaker = new(MinimumRequests: 5, OpenSeconds: 2) };
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(policies));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        for (var i = 0; i < 5; i++)
        {
            using var failed = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        }

        using (var refused = await client.GetAsync("/orders/v1/orders", Stop))
        {
            await PipelineTests.AssertRefusedAsync(refused, HttpStatusCode.ServiceUnavailable, "circuit-open");
            Assert.NotNull(refused.Headers.RetryAfter);
        }

        catalog.Publish(TestSnapshot.Create([backend.Address], revision: 2).WithPolicies(policies));
        await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == 2);
        fails = false;
        var before = backend.Calls;
        await Eventually.TrueAsync(async () =>
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            return response.IsSuccessStatusCode;
        });
        Assert.Equal(before + 1, backend.Calls); // the probe, and nothing before it
    }
}
