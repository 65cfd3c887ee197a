using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authorization;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Usage;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

public sealed class AllocationTests
{
    [Fact]
    public async Task The_allow_path_allocates_nothing_from_route_to_usage()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create(
            [new("http://127.0.0.1:9"), new("http://127.0.0.2:9")], limits: [new RateLimitModel(1_000_000, 1), new RateLimitModel(1_000_000_000, 60)]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var authenticator = gateway.Services.GetRequiredService<ApiKeyAuthenticator>();
        var limiters = gateway.Services.GetRequiredService<LimiterTable>();
        var spool = gateway.Services.GetRequiredService<UsageSpool>();
        var http = new DefaultHttpContext { Request = { Headers = { ["X-Api-Key"] = TestSnapshot.Key } } }.Request;
        var request = new GatewayRequest(new DefaultHttpContext(), gateway.Snapshot.Current!, "id");

        var limits = Array.Empty<RateLimiter>();

        // Each fills in what the next one needs.
        (string Name, Action Do)[] steps =
        [
            ("route", () => request.Operation = request.Snapshot.Routes.Find("/orders/v1/orders/42", "GET", out _)!),
            ("authenticate", () => Assert.True(authenticator.Authenticate(http, request) == Refusal.None)),
            ("authorize", () => Assert.True(AuthorizationMiddleware.Authorize(request) == Refusal.None)),
            ("limiters", () => limits = limiters.For(request.Subscription, request.Operation).All),
            ("limit", () => Assert.True(RateLimitMiddleware.TryTake(limits, request, 0, out _) == LimitDecision.Allowed)),
            ("balance", () => Assert.NotNull(request.Operation.Api.Backend.Pick(new PickContext(0, true), []))),
            ("usage", () => spool.Count(request.Subscription, request.Operation, 200)),
        ];
        foreach (var (_, step) in steps)
        {
            step(); // the first time fills in what is looked up later
        }

        Assert.Equal([], steps.Select(static step => (step.Name, Bytes: Allocated(step.Do))).Where(static step => step.Bytes != 0));
    }

    /// <summary>Bytes of a thousand runs; the least of five, because a new minute begins a new usage cell and the JIT may step in.</summary>
    private static long Allocated(Action step)
    {
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                step();
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
