using Microsoft.Extensions.Logging.Abstractions;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Balancing;

/// <summary>A backend without a network: its instances are called by the test, on a clock that the test moves.</summary>
internal sealed class TestInstances
{
    public TestInstances(BalancingPolicy? balancing = null, HealthPolicy? health = null, string? zone = null, params InstanceConfig[] configs)
    {
        Backend = new(new(Guid.NewGuid(), "orders", "orders", []) { Balancing = balancing, Health = health }, Time, NullLogger.Instance, zone);
        Backend.Apply(InstanceSource.Lease, configs);
    }

    public ManualTime Time { get; } = new();

    public BackendState Backend { get; }

    public Instance this[string id] => Backend.View.All.Single(i => i.Config.Id == id);

    public static InstanceConfig Config(string id, int weight = 100, string? zone = null, int priority = 0) =>
        new(id, new($"http://{id}.test:8080"), weight, zone, priority);

    /// <summary>Instances <c>a</c>, <c>b</c>, <c>c</c> and so on.</summary>
    public static InstanceConfig[] Configs(params int[] weights) => [.. weights.Select((weight, i) => Config($"{(char)('a' + i)}", weight))];

    public Instance Pick(ulong hash = 0, params Instance?[] tried) => Backend.Pick(new PickContext(hash, MayRepeat: true), tried)!;

    /// <summary>One call that ends as said.</summary>
    public Instance Call(Outcome outcome = Outcome.Success, ulong hash = 0, double ms = 1)
    {
        var instance = Pick(hash);
        Call(instance, outcome, ms);
        return instance;
    }

    public static void Call(Instance instance, Outcome outcome, double ms = 1)
    {
        instance.Begin();
        instance.End(outcome, (long)(ms * TimeSpan.TicksPerMillisecond));
    }

    public void Advance(double seconds)
    {
        Time.Advance(TimeSpan.FromSeconds(seconds));
        Backend.Tick(due: null);
    }

    /// <summary>How often each was picked; the keys are spread over the whole range.</summary>
    public Dictionary<string, int> Count(int picks)
    {
        var random = new Random(7);
        var counts = Backend.View.All.ToDictionary(static i => i.Config.Id, static _ => 0);
        for (var i = 0; i < picks; i++)
        {
            counts[Call(hash: (ulong)random.NextInt64()).Config.Id]++;
        }

        return counts;
    }
}
