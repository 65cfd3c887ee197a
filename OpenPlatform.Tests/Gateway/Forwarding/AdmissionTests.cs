using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Forwarding;
using OpenPlatform.Gateway.Overload;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Forwarding;

public sealed class AdmissionTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_doors_in_front_of_a_backend_allocate_nothing_on_or_off(bool on)
    {
        var snapshot = TestSnapshot.Create([new("http://127.0.0.1:9")]).WithOtherBackend(new Uri("http://127.0.0.2:9"));
        await using var catalog = await TestCatalog.StartAsync(!on ? snapshot : snapshot.WithPolicies(new()
        {
            Breaker = new(), Bulkhead = new(10, 10), Split = new([new("canary", PolicySnapshots.OtherBackendId, WeightPercent: 50)], ShowVariant: true),
        }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        var gates = gateway.Services.GetRequiredService<OverloadGates>();
        var current = gateway.Snapshot.Current!;
        var operation = current.Routes.Find("/orders/v1/orders", "GET", out _)!;
        var subscription = current.FindApplication(TestSnapshot.Subscriber)!.Find(TestSnapshot.VersionId)!;
        var request = new GatewayRequest(new DefaultHttpContext(), current, "id") { Operation = operation, Application = current.FindApplication(TestSnapshot.Subscriber)!, Subscription = subscription };
        var context = new DefaultHttpContext();

        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                request.Backend = operation.Api.Split is { } split ? split.Choose(context, request) : operation.Api.Backend;
                var admission = default(Admission);
                if (admission.TryEnter(request, operation.Forward, gates) == Refusal.None)
                {
                    request.Backend.Retries.Earn();
                    request.LeaveOverload(sample: true);
                }

                admission.Leave(request, operation.Forward, success: true);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        Assert.Equal(on, operation.Forward is { Breaker: not null, Bulkhead: not null, ApplicationBulkheads: not null } && operation.Api.Split is not null);
    }
}
