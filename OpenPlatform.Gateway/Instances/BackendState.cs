using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.HealthChecks;
using OpenPlatform.Gateway.Overload;
using OpenPlatform.Gateway.Resilience;

namespace OpenPlatform.Gateway.Instances;

/// <summary>
/// A backend and its instances: one table, shared by all snapshots and operations that name it. A request reads the view and its
/// instances' counters; what changes the view is rare and goes through one lock.
/// </summary>
/// <param name="zone">The gateway's own, when known.</param>
internal sealed class BackendState(BackendModel model, TimeProvider time, ILogger logger, string? zone = null)
{
    private readonly Lock _gate = new();
    private readonly BackendHealth _health = new(logger) { Backend = model.Name, Policy = model.Health ?? HealthPolicy.Default };
    private readonly Dictionary<InstanceSource, IReadOnlyCollection<InstanceConfig>> _sources = [];
    private BackendModel _model = model;
    private BackendView _view = BackendView.Empty;
    private BalancingKey? _key = BalancingKey.Of(model.Balancing ?? BalancingPolicy.Default);

    /// <summary>The requests it may have in flight; made by <see cref="OverloadGates"/>.</summary>
    internal OverloadGate? Gate;

    /// <summary>Further tries it can bear.</summary>
    public RetryBudget Retries { get; } = new();

    /// <summary>What the latest snapshot says about it.</summary>
    public BackendModel Model
    {
        get => Volatile.Read(ref _model);
        set
        {
            lock (_gate)
            {
                var policiesChanged = value.Balancing != _model.Balancing || value.Health != _model.Health;
                Volatile.Write(ref _model, value);
                (_health.Backend, _health.Policy) = (value.Name, value.Health ?? HealthPolicy.Default);
                if (policiesChanged)
                {
                    Volatile.Write(ref _key, BalancingKey.Of(Balancing));
                    Renew(View.All);
                }
            }
        }
    }

    public BackendView View => Volatile.Read(ref _view);

    /// <summary>Instances that want new requests, ejected ones included. Never changed, only replaced.</summary>
    public Instance[] Ready => View.Ready;

    /// <summary>What requests are hashed by; null where the policy hashes nothing.</summary>
    public BalancingKey? Key => Volatile.Read(ref _key);

    private BalancingPolicy Balancing => Model.Balancing ?? BalancingPolicy.Default;

    /// <summary>An instance for a try, or null when there is none left. Allocates nothing.</summary>
    /// <param name="tried">Instances this request has failed on; each is used again only by a later request.</param>
    public Instance? Pick(in PickContext context, ReadOnlySpan<Instance?> tried) => View.Pick(context, tried);

    /// <summary>Takes in what one source says now. Instances that stay keep their state. No source's empty answer replaces what it said
    /// before, save the snapshot's, and nothing replaces a view by an empty one.</summary>
    /// <returns>False when nothing changed.</returns>
    public bool Apply(InstanceSource source, IReadOnlyCollection<InstanceConfig> configs)
    {
        lock (_gate)
        {
            if (configs.Count == 0 && source != InstanceSource.Snapshot)
            {
                return false;
            }

            _sources[source] = configs;
            InstanceConfig[] all = [.. Said(InstanceSource.Lease).OrderBy(static c => c.Draining), .. Said(InstanceSource.File), .. Said(InstanceSource.Dns), .. Said(InstanceSource.Snapshot)];
            InstanceConfig[] next = [.. (all.Length > 0 ? all : Said(InstanceSource.Configuration)).DistinctBy(static c => c.Address)];
            return next.Length > 0 && Replace(next);
        }

        IEnumerable<InstanceConfig> Said(InstanceSource of) => _sources.GetValueOrDefault(of, []);
    }

    /// <summary>What a try says about its instance.</summary>
    public void Ended(Instance instance, Outcome outcome, long latencyTicks)
    {
        if (outcome is Outcome.Success or Outcome.Timeout)
        {
            instance.Latency.Observe(latencyTicks, time.GetTimestamp());
        }

        if (outcome == Outcome.Success && !instance.IsEjected)
        {
            instance.Health.Succeeded();
        }
        else if (outcome != Outcome.Cancelled || instance.Health.IsTrialTaken)
        {
            lock (_gate)
            {
                RenewIf(_health.Ended(instance, outcome, View, Now()));
            }
        }
    }

    /// <summary>Time has passed: about every 100 ms.</summary>
    /// <param name="due">Takes the instances to be probed now; null: nobody probes.</param>
    public void Tick(ICollection<Instance>? due)
    {
        lock (_gate)
        {
            var now = Now();
            var changed = false;
            foreach (var instance in View.All)
            {
                changed |= instance.Ramp(Balancing.RampSeconds, now);
                changed |= _health.Tick(instance, View, due, now);
            }

            RenewIf(changed);
        }
    }

    public void Probed(Instance instance, ProbeResult result)
    {
        lock (_gate)
        {
            RenewIf(_health.Probed(instance, result, Now()));
        }
    }

    /// <summary>Its instances at this moment.</summary>
    public IEnumerable<InstanceRow> Describe() => View.All.Select(i => new InstanceRow(
        Model.Name, i.Config.Id, i.Config.Address, i.Config.Source, i.Config.Zone, i.Config.Priority, i.Weight, i.EffectiveWeight,
        i.Config.Draining ? InstanceStateName.Draining
            : i.Health.OutBecause == EjectionReason.Starting ? InstanceStateName.Starting
            : i.IsEjected ? InstanceStateName.Ejected
            : i.EffectiveWeight < i.Weight ? InstanceStateName.Ramping : InstanceStateName.Ready,
        i.InFlight, i.Latency.At(time.GetTimestamp()) * 1000 / time.TimestampFrequency, i.Ended, i.Health.Failures, i.Health.OutBecause));

    /// <summary>The first view has nobody to wait for: all at full weight. Who joins later proves itself where probes are on, and ramps.</summary>
    private bool Replace(InstanceConfig[] configs)
    {
        var now = Now();
        var old = View.All;
        var known = old.ToDictionary(static i => (i.Config.Id, i.Config.Address));
        var changed = configs.Length != old.Length;
        var next = new Instance[configs.Length];
        for (var i = 0; i < configs.Length; i++)
        {
            var config = configs[i];
            if (known.TryGetValue((config.Id, config.Address), out var instance))
            {
                changed |= instance.Config != config;
                instance.Config = config;
            }
            else
            {
                changed = true;
                instance = new(config, this, time);
                Welcome(instance, isFirst: old.Length == 0, now);
            }

            next[i] = instance;
        }

        if (changed)
        {
            Renew(next);
        }

        return changed;
    }

    private void Welcome(Instance instance, bool isFirst, long now)
    {
        if (!isFirst)
        {
            instance.BeginRamp(now);
        }

        if (Model.Health?.Active is { } active)
        {
            if (isFirst)
            {
                instance.Health.Probes.Spread(active, now);
            }
            else
            {
                instance.Health.Start();
            }
        }
    }

    private void RenewIf(bool changed)
    {
        if (changed)
        {
            Renew(View.All);
        }
    }

    private void Renew(Instance[] all)
    {
        foreach (var instance in all)
        {
            instance.Ramp(Balancing.RampSeconds, Now());
        }

        Volatile.Write(ref _view, BackendView.Create(all, Balancing, _health.Policy, zone, time));
    }

    /// <summary>Milliseconds, monotonic.</summary>
    private long Now() => (long)time.GetElapsedTime(0).TotalMilliseconds;
}
