using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.HealthChecks;

namespace OpenPlatform.Gateway.Instances;

/// <summary>The instances of a backend at one moment and the picker over those that are in rotation. Never changed, only replaced.</summary>
internal sealed class BackendView
{
    public static BackendView Empty { get; } = new([], null, [], false);

    private readonly IPicker? _picker;
    private readonly Instance[] _onTrial;

    private BackendView(Instance[] all, IPicker? picker, Instance[] onTrial, bool isPanic)
    {
        All = all;
        Ready = [.. all.Where(static i => !i.Config.Draining)];
        _picker = picker;
        _onTrial = onTrial;
        IsPanic = isPanic;
    }

    /// <summary>All that are known.</summary>
    public Instance[] All { get; }

    /// <summary>Those that want requests, whether they get them or not.</summary>
    public Instance[] Ready { get; }

    /// <summary>Too few are healthy: requests go to others too.</summary>
    public bool IsPanic { get; }

    /// <param name="zone">The gateway's own, when known.</param>
    public static BackendView Create(Instance[] all, BalancingPolicy balancing, HealthPolicy health, string? zone, TimeProvider time)
    {
        Instance[] ready = [.. all.Where(static i => !i.Config.Draining)];
        var rotation = Rotation(ready);
        var healthy = ready.Count(static i => !i.IsEjected);
        var isPanic = rotation.Length == 0 || healthy * 100 < health.PanicPercent * ready.Length;
        if (isPanic)
        {
            // Those that cannot be reached are left out as long as there is anybody else.
            rotation = [.. ready.Where(static i => !i.Health.IsUnreachable)];
            rotation = rotation.Length > 0 ? rotation : ready;
        }

        return new(all, Picker(rotation, balancing, zone, time), [.. ready.Where(static i => i.Health.IsOnTrial)], isPanic);
    }

    /// <summary>An instance for a try, or null when there is none left. Allocates nothing.</summary>
    public Instance? Pick(in PickContext context, ReadOnlySpan<Instance?> tried)
    {
        foreach (var instance in _onTrial)
        {
            if (!tried.Contains(instance) && instance.Health.TryTakeTrial(context.MayRepeat))
            {
                return instance;
            }
        }

        return _picker?.Pick(context) is { } pick && !tried.Contains(pick) ? pick : Another(tried);
    }

    /// <summary>A further try, or the policy met an instance again that failed just now: the least busy of the others, those in rotation first.
    /// Where nobody answers is no further try: it would only wait.</summary>
    private Instance? Another(ReadOnlySpan<Instance?> tried)
    {
        Instance? best = null;
        var start = Ready.Length > 1 ? Random.Shared.Next(Ready.Length) : 0;
        for (var i = 0; i < Ready.Length; i++)
        {
            var candidate = Ready[start + i < Ready.Length ? start + i : start + i - Ready.Length];
            if (candidate.Health.OutBecause == EjectionReason.Silent || tried.Contains(candidate))
            {
                continue;
            }

            if (best is null || Rank(candidate) < Rank(best) || (Rank(candidate) == Rank(best) && candidate.Load < best.Load))
            {
                best = candidate;
            }
        }

        return best;

        static int Rank(Instance instance) => !instance.IsEjected ? 0 : !instance.Health.IsUnreachable ? 1 : 2;
    }

    /// <summary>The healthy ones of the best priority; of the next ones too, as long as fewer than half are healthy.</summary>
    private static Instance[] Rotation(Instance[] ready)
    {
        var rotation = new List<Instance>(ready.Length);
        var looked = 0;
        foreach (var tier in ready.GroupBy(static i => i.Config.Priority).OrderBy(static tier => tier.Key))
        {
            rotation.AddRange(tier.Where(static i => !i.IsEjected));
            looked += tier.Count();
            if (rotation.Count * 2 >= looked)
            {
                break;
            }
        }

        return [.. rotation];
    }

    private static IPicker? Picker(Instance[] rotation, BalancingPolicy balancing, string? zone, TimeProvider time)
    {
        if (rotation.Length == 0)
        {
            return null;
        }

        Instance[] local = balancing.PreferZone && zone is not null ? [.. rotation.Where(i => i.Config.Zone == zone)] : [];
        var all = Over(rotation);
        return local.Length == 0 || local.Length == rotation.Length ? all : new ZonePicker(Over(local), all);

        IPicker Over(Instance[] instances) => Pickers.Create(balancing, new(instances, [.. instances.Select(static i => i.EffectiveWeight)]), time);
    }
}
