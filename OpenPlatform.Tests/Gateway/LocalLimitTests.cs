using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

/// <summary>Limits of a gateway that has no Redis, on a clock of the test.</summary>
public sealed class LocalLimitTests
{
    private readonly ManualTime _time = new();

    [Theory]
    [InlineData(10, 1, 10)]
    [InlineData(10, 2, 5)]
    [InlineData(10, 3, 3)]
    [InlineData(1, 2, 1)] // never nothing: one in two windows
    [InlineData(7, 1, 7)]
    [InlineData(1_000_000, 1, 1_000_000)]
    public void The_limit_is_divided_by_the_live_gateways(int requests, int gateways, int expected)
    {
        var limiter = Limiter(requests, gateways);
        Assert.Equal(expected, Allowed(limiter, requests + 5));
    }

    [Fact]
    public void Over_many_windows_the_rate_is_the_limit()
    {
        var limiter = Limiter(requests: 30, gateways: 2);
        var allowed = Allowed(limiter, 100);
        for (var i = 0; i < 6000; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            allowed += Allowed(limiter, 3);
        }

        Assert.InRange(allowed, 15 + 149, 15 + 151); // ten minutes at fifteen a minute
    }

    [Fact]
    public void A_refused_request_says_when_it_would_pass()
    {
        var limiter = Limiter(requests: 4, gateways: 1);
        Allowed(limiter, 4);
        Assert.Equal(LimitDecision.Refused, limiter.TryTake(1, out var wait));
        Assert.Equal(15_000_000, wait, 10_000d);
        _time.Advance(TimeSpan.FromMicroseconds(wait));
        Assert.Equal(LimitDecision.Allowed, limiter.TryTake(1, out _));
        Assert.Equal(LimitDecision.Refused, limiter.TryTake(1, out _));
    }

    [Fact]
    public void What_one_limit_gave_is_given_back_when_another_refuses()
    {
        var wide = Limiter(requests: 5, gateways: 1);
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(LimitDecision.Allowed, wide.TryTake(1, out _));
            wide.GiveBack(1);
        }

        Assert.Equal(5, Allowed(wide, 10));
    }

    private RateLimiter Limiter(int requests, int gateways)
    {
        var clock = new MonotonicClock(_time);
        return new("key", RateLimit.Of(new RateLimitModel(requests, 60)), TimeSpan.FromMilliseconds(50), new TokenLender(null, clock), clock, new GatewayCount { Live = gateways }, _time);
    }

    private static int Allowed(RateLimiter limiter, int tries) =>
        Enumerable.Range(0, tries).Count(_ => limiter.TryTake(1, out var _) == LimitDecision.Allowed);
}
