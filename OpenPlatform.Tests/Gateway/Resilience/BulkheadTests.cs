using System.Net;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Resilience;

public sealed class BulkheadTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(2, null, false)]
    [InlineData(null, 2, true)]
    public async Task One_more_than_allowed_is_refused_and_a_free_place_is_taken(int? max, int? perApplication, bool otherMay)
    {
        var go = new SemaphoreSlim(0);
        await using var backend = await TestBackend.StartAsync(async context =>
        {
            await go.WaitAsync(context.RequestAborted);
            await TestBackend.Hello(context);
        });
        var policies = new ApiPolicies { Bulkhead = new(max, perApplication) };
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithStrangerSubscribed().WithPolicies(policies));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var other = gateway.Client(TestSnapshot.StrangerKey);
        var first = client.GetStringAsync("/orders/v1/orders", Stop);
        var second = client.GetStringAsync("/orders/v1/orders", Stop);
        await Eventually.TrueAsync(() => backend.Requests.Count == 2);

        // A new revision does not forget who is inside.
        catalog.Publish(TestSnapshot.Create([backend.Address], revision: 2).WithStrangerSubscribed().WithPolicies(policies));
        await Eventually.TrueAsync(() => gateway.Snapshot.Current!.Revision == 2);
        using (var third = await client.GetAsync("/orders/v1/orders", Stop))
        {
            await PipelineTests.AssertRefusedAsync(third, HttpStatusCode.ServiceUnavailable, "too-many-at-once");
            Assert.NotNull(third.Headers.RetryAfter);
        }

        if (otherMay)
        {
            var others = other.GetStringAsync("/orders/v1/orders", Stop);
            await Eventually.TrueAsync(() => backend.Requests.Count == 3);
            go.Release();
            Assert.Equal("hello", await Task.WhenAny(others, first, second).Unwrap());
        }
        else
        {
            using var refused = await other.GetAsync("/orders/v1/orders", Stop);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        }

        go.Release(10);
        Assert.Equal(["hello", "hello"], await Task.WhenAll(first, second));
        await Eventually.TrueAsync(async () => await client.GetStringAsync("/orders/v1/orders", Stop) == "hello");
    }
}
