using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Limits;

/// <summary>Limits of plan, API and operation, costs, bursts and quotas, on a clock of the test.</summary>
public sealed class LimitPolicyTests(RedisServerFixture server) : IClassFixture<RedisServerFixture>
{
    private readonly ManualTime _time = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_obeys_Retry_After_and_RateLimit_never_sees_429_under_several_limits()
    {
        await using var backend = await TestBackend.StartAsync();
        var snapshot = With(
            TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(3, 2), new RateLimitModel(20, 30) { Burst = 5 }]),
            api: new([new RateLimitModel(8, 7)]), operation: new([new RateLimitModel(6, 11) { Shared = true }]), cost: 2);
        await using var catalog = await TestCatalog.StartAsync(snapshot);
        await using var gateway = await GatewayHost.StartAsync(catalog, _time);
        using var client = gateway.Client();

        // As the draft asks: nothing left → wait t seconds. An operation that costs two needs two.
        for (var i = 0; i < 60; i++)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            var (left, seconds) = Field(response);
            _time.Advance(TimeSpan.FromSeconds(left < 2 ? seconds : 0));
        }

        // And who only listens to Retry-After is refused once, never twice.
        for (var i = 0; i < 60; i++)
        {
            using var response = await client.GetAsync("/orders/v1/orders", Stop);
            if (response.StatusCode == HttpStatusCode.TooManyRequests)
            {
                _time.Advance(response.Headers.RetryAfter!.Delta!.Value);
                using var again = await client.GetAsync("/orders/v1/orders", Stop);
                Assert.Equal(HttpStatusCode.OK, again.StatusCode);
            }
        }
    }

    [Fact]
    public async Task A_limit_of_the_API_holds_for_each_application_and_a_shared_one_for_all()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(With(
            TestSnapshot.Create([backend.Address]), api: new([new RateLimitModel(4, 60)]), operation: new([new RateLimitModel(2, 60)])));
        await using var gateway = await GatewayHost.StartAsync(catalog, _time);
        using var client = gateway.Client();
        Assert.Equal(2, await AllowedAsync(client, "/orders/v1/orders", 5));
        Assert.Equal(2, await AllowedAsync(client, "/orders/v1/orders/7", 5));

        using var response = await client.GetAsync("/orders/v1/orders/7", Stop);
        Assert.Equal("\"api-4-per-60s\";r=0;t=15", response.Headers.GetValues("RateLimit").Single());
        Assert.Equal("\"api-4-per-60s\";q=4;w=60", response.Headers.GetValues("RateLimit-Policy").Single());
    }

    [Fact]
    public async Task A_quota_holds_until_the_month_ends()
    {
        await using var backend = await TestBackend.StartAsync();
        var snapshot = TestSnapshot.Create([backend.Address]);
        await using var catalog = await TestCatalog.StartAsync(snapshot with { Plans = [snapshot.Plans[0] with { Quotas = [new(5, QuotaModel.Month)] }] });
        await using var gateway = await GatewayHost.StartAsync(catalog, _time);
        using var client = gateway.Client();
        Assert.Equal(5, await AllowedAsync(client, "/orders/v1/orders", 9));

        _time.Advance(TimeSpan.FromDays(20));
        using var refused = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(refused, HttpStatusCode.TooManyRequests, "quota-used-up");
        var rest = refused.Headers.RetryAfter!.Delta!.Value;
        Assert.Equal(new DateTimeOffset(2029, 7, 1, 0, 0, 0, TimeSpan.Zero), _time.GetUtcNow() + rest);

        _time.Advance(rest);
        Assert.Equal(5, await AllowedAsync(client, "/orders/v1/orders", 9));
    }

    [Fact]
    public async Task Gateways_share_a_quota_and_a_gateway_that_never_saw_Redis_trusts_with_a_hundredth()
    {
        await using var backend = await TestBackend.StartAsync();
        var snapshot = TestSnapshot.Create([backend.Address]);
        snapshot = snapshot with { Plans = [snapshot.Plans[0] with { Quotas = [new(300, QuotaModel.Month)] }] };
        await using var catalog = await TestCatalog.StartAsync(snapshot);
        await using var first = await StartAsync(catalog);
        await using var second = await StartAsync(catalog);
        using var one = first.Client();
        using var two = second.Client();
        var allowed = await AllowedAsync(one, "/orders/v1/orders", 200) + await AllowedAsync(two, "/orders/v1/orders", 200);
        Assert.InRange(allowed, 295, 300); // a block and a half of three may lie with the first one

        await server.KillAsync();
        catalog.RefusesUsedUnits = true;
        await using var late = await GatewayHost.StartAsync(catalog, settings: [("ConnectionStrings:redis", server.ConnectionString)]);
        using var three = late.Client();
        Assert.InRange(await AllowedAsync(three, "/orders/v1/orders", 20), 1, 4);
        await server.StartAsync();
    }

    [Fact]
    public void An_exact_limit_is_never_exceeded_and_takes_nothing_ahead()
    {
        var clock = new MonotonicClock(_time);
        var limiter = new RateLimiter("key", RateLimit.Of(new RateLimitModel(10, 60) { Exact = true }), TimeSpan.FromMilliseconds(50), new TokenLender(null, clock), clock, new GatewayCount(), _time);
        Assert.Equal(10, Enumerable.Range(0, 20).Count(_ => limiter.TryTake(1, out var _) == LimitDecision.Allowed));
        Assert.Equal(LimitDecision.Refused, limiter.TryTake(3, out var wait));
        Assert.InRange(wait, 17_900_000, 18_000_000); // three of ten a minute
    }

    [Fact]
    public void Wrong_limits_are_named_by_their_field()
    {
        var snapshot = With(
            TestSnapshot.Create([new("http://127.0.0.1:9")], limits: [new RateLimitModel(1, 2_678_401), new RateLimitModel(5, 60) { Burst = 6 }, new RateLimitModel(5, 61) { Shared = true }]),
            api: new([new RateLimitModel(0, 0)]), cost: 1001);
        snapshot = snapshot with { Plans = [snapshot.Plans[0] with { Quotas = [new(0, "week"), new(1, "day"), new(2, "day")] }] };
        Assert.Equal(
            [
                "/apis/0/policies/limits/rateLimits/0/requests", "/apis/0/policies/limits/rateLimits/0/windowSeconds", "/apis/0/operations/0/policies/cost",
                "/plans/0/rateLimits/0/windowSeconds", "/plans/0/rateLimits/1/burst", "/plans/0/rateLimits/2/shared",
                "/plans/0/quotas/0/requests", "/plans/0/quotas/0/period", "/plans/0/quotas/2/period",
            ],
            SnapshotValidator.Validate(snapshot).Select(static problem => problem.Pointer));
    }

    private async Task<GatewayHost> StartAsync(TestCatalog catalog)
    {
        var gateway = await GatewayHost.StartAsync(catalog, settings:
            [("ConnectionStrings:redis", server.ConnectionString), ("OpenPlatform:Gateway:Limits:LoanDeadline", "00:00:10")]);
        await LimitTests.WarmAsync(gateway.Services.GetRequiredService<TokenLender>());
        return gateway;
    }

    private static Snapshot With(Snapshot snapshot, LimitPolicy? api = null, LimitPolicy? operation = null, int? cost = null)
    {
        var version = snapshot.Apis[0];
        return snapshot with
        {
            Apis =
            [
                version with
                {
                    Policies = new() { Limits = api },
                    Operations = [version.Operations[0] with { Policies = new() { Limits = operation, Cost = cost } }, .. version.Operations.Skip(1)],
                },
                .. snapshot.Apis.Skip(1),
            ],
        };
    }

    private static async Task<int> AllowedAsync(HttpClient client, string path, int tries)
    {
        var allowed = 0;
        for (var i = 0; i < tries; i++)
        {
            using var response = await client.GetAsync(path, Stop);
            allowed += response.StatusCode == HttpStatusCode.OK ? 1 : 0;
        }

        return allowed;
    }

    private static (long Left, int Seconds) Field(HttpResponseMessage response)
    {
        var parts = response.Headers.GetValues("RateLimit").Single().Split(';');
        return (long.Parse(parts[1][2..], CultureInfo.InvariantCulture), int.Parse(parts[2][2..], CultureInfo.InvariantCulture));
    }
}
