using System.Net;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Tests.Gateway.Balancing;

public sealed class ConsistentHashTests
{
    private const int Keys = 20_000;

    private static readonly BalancingPolicy Hash = new(BalancingAlgorithm.ConsistentHash, RampSeconds: 0);

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(20)]
    public void One_more_instance_moves_its_own_share_of_keys_and_no_other(int count)
    {
        var instances = new TestInstances(Hash, configs: Configs(count - 1));
        var before = Owners(instances);
        instances.Backend.Apply(InstanceSource.Lease, Configs(count));
        var after = Owners(instances);

        var moved = before.Zip(after).Where(static pair => pair.First != pair.Second).ToArray();
        Assert.InRange(moved.Length, 1, (int)(Keys * ((1d / count) + 0.05)));
        Assert.Equal([$"i{count - 1}"], moved.Select(static pair => pair.Second).Distinct());
    }

    [Fact]
    public void One_instance_less_moves_only_what_it_had()
    {
        var instances = new TestInstances(Hash, configs: Configs(5));
        var before = Owners(instances);
        TestInstances.Call(instances["i2"], Outcome.ConnectError);
        var after = Owners(instances);
        Assert.Equal(["i2"], before.Zip(after).Where(static pair => pair.First != pair.Second).Select(static pair => pair.First).Distinct());
    }

    [Fact]
    public void Two_gateways_agree_in_whatever_order_they_hear_of_the_instances()
    {
        var one = new TestInstances(Hash, configs: Configs(7));
        var other = new TestInstances(Hash, configs: [.. Configs(7).Reverse()]);
        Assert.Equal(Owners(one), Owners(other));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(1_000)]
    [InlineData(20_000)]
    public void Nobody_gets_more_than_a_quarter_above_the_mean(int requests)
    {
        var instances = new TestInstances(Hash, configs: Configs(10));
        for (var i = 0; i < requests; i++)
        {
            // A fifth of all requests are for one key.
            instances.Pick(i % 5 == 0 ? 1 : KeyHash64.Mix((ulong)i)).Begin();
        }

        Assert.InRange(instances.Backend.View.All.Max(static i => i.InFlight), 1, (int)Math.Ceiling(1.25 * requests / 10));
    }

    [Fact]
    public void Header_application_address_and_path_are_keys_and_hashing_them_allocates_nothing()
    {
        var context = new DefaultHttpContext { Request = { Path = "/orders/42", Headers = { ["X-Tenant"] = "blue" } } };
        GatewayRequest request = null!;
        void From(string address, int application) => request = new(context, GatewaySnapshot.None, "id")
        {
            Origin = new(IPAddress.Parse(address), "http", ""), Application = new ApplicationEntry(new Guid(application, 0, 0, new byte[8]), false, []),
        };
        ulong Of(string? on) => BalancingKey.Of(Hash with { HashOn = on })!.Hash(request);

        From("10.1.2.3", application: 1);
        ulong[] first = [Of("header:X-Tenant"), Of("ip"), Of("path"), Of("application")];
        Assert.Equal(4, first.Distinct().Count());
        Assert.Equal(first[1], Of("header:X-Missing")); // who sends none goes by address
        Assert.Equal(first[3], Of(null));
        Assert.Null(BalancingKey.Of(BalancingPolicy.Default));

        From("10.1.2.4", application: 2);
        context.Request.Path = "/orders/43";
        Assert.Equal(first[0], Of("header:X-Tenant"));
        Assert.Empty(first.Intersect([Of("ip"), Of("path"), Of("application")]));

        foreach (var key in new[] { "header:X-Tenant", "ip", "path", "application" }.Select(static on => BalancingKey.Of(Hash with { HashOn = on })!))
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            key.Hash(request);
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }

    private static InstanceConfig[] Configs(int count) => [.. Enumerable.Range(0, count).Select(static i => TestInstances.Config($"i{i}"))];

    private static string[] Owners(TestInstances instances) =>
        [.. Enumerable.Range(0, Keys).Select(i => instances.Pick(KeyHash64.Mix((ulong)i)).Config.Id)];
}
