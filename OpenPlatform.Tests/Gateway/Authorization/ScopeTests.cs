using Microsoft.AspNetCore.Http;
using System.Net;
using OpenPlatform.Gateway.Authorization;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Tests.Gateway.Authentication;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Authorization;

/// <summary>What operations ask for and plans grant. Access tokens are in <see cref="TokenTests"/>.</summary>
public sealed class ScopeTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("orders:read", false)]
    [InlineData("orders:read orders:write other", true)]
    public async Task A_key_has_the_scopes_of_its_plan(string? plan, bool granted)
    {
        await using var backend = await TestBackend.StartAsync();
        var snapshot = TestSnapshot.Create([backend.Address]).WithPolicies(new() { Scopes = ["orders:read", "orders:write"] }).WithOperation("root", new() { Scopes = [] });
        snapshot = snapshot with { Plans = [snapshot.Plans[0] with { Scopes = plan?.Split(' ', StringSplitOptions.RemoveEmptyEntries) }] };
        await using var catalog = await TestCatalog.StartAsync(snapshot);
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        if (granted)
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
        else
        {
            await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.Forbidden, "insufficient-scope");
            Assert.Equal("Bearer realm=\"openplatform\", error=\"insufficient_scope\", scope=\"orders:read orders:write\"", response.Headers.WwwAuthenticate.ToString());
        }

        using var asksForNothing = await client.GetAsync("/orders/v1", Stop);
        Assert.Equal(HttpStatusCode.OK, asksForNothing.StatusCode);
    }

    [Fact]
    public async Task A_signed_request_without_its_scope_does_not_use_up_its_nonce()
    {
        await using var backend = await TestBackend.StartAsync();
        var snapshot = Signing.Snapshot(backend.Address).WithOperation("listOrders", new() { Scopes = ["orders:read"] });
        await using var catalog = await TestCatalog.StartAsync(snapshot);
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: Signing.Setting);
        using var client = gateway.Client(key: null);
        var (now, nonce) = (TimeProvider.System.GetUtcNow(), Signing.Nonce());
        using (var request = Signing.Hmac(HttpMethod.Get, "/orders/v1/orders", now, nonce))
        using (var response = await client.SendAsync(request, Stop))
        {
            await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.Forbidden, "insufficient-scope");
        }

        catalog.Publish(snapshot with { Revision = 2, Plans = [snapshot.Plans[0] with { Scopes = ["orders:read"] }] });
        await Fixtures.Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == 2);
        using var again = Signing.Hmac(HttpMethod.Get, "/orders/v1/orders", now, nonce);
        using var granted = await client.SendAsync(again, Stop);
        Assert.Equal(HttpStatusCode.OK, granted.StatusCode);
    }

    [Fact]
    public async Task Asking_for_scopes_allocates_nothing()
    {
        var snapshot = TestSnapshot.Create([new("http://127.0.0.1:9")]).WithOperation("listOrders", new() { Scopes = ["orders:read", "orders:write"] });
        await using var catalog = await TestCatalog.StartAsync(snapshot with { Plans = [snapshot.Plans[0] with { Scopes = ["orders:write", "orders:read", "x"] }] });
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var compiled = gateway.Snapshot.Current!;
        var operation = compiled.Routes.Find("/orders/v1/orders", "GET", out _)!;
        var request = new GatewayRequest(new DefaultHttpContext(), compiled, "id") { Operation = operation, Application = compiled.FindApplication(TestSnapshot.Subscriber)! };
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                Assert.True(AuthorizationMiddleware.Authorize(request) == Refusal.None);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }
}
