using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Balancing;
using OpenPlatform.Gateway.Overload;
using OpenPlatform.Gateway.Resilience;

namespace OpenPlatform.Gateway.Instances;

/// <summary>A backend and its instances; shared by all snapshots that name it.</summary>
internal sealed class BackendState(BackendModel model, TimeProvider time, ILogger logger)
{
    private BackendModel _model = model;
    private Instance[] _ready = [];

    /// <summary>The requests it may have in flight; made by <see cref="OverloadGates"/>.</summary>
    internal OverloadGate? Gate;

    /// <summary>Further tries it can bear.</summary>
    public RetryBudget Retries { get; } = new();

    /// <summary>What the latest snapshot says about it.</summary>
    public BackendModel Model
    {
        get => Volatile.Read(ref _model);
        set => Volatile.Write(ref _model, value);
    }

    /// <summary>Instances that take new requests, ejected ones included. Never changed, only replaced.</summary>
    public Instance[] Ready => Volatile.Read(ref _ready);

    /// <summary>An instance for a try, or null when there is none left. Allocates nothing.</summary>
    /// <param name="tried">Instances this request has failed on; each is used again only by a later request.</param>
    public Instance? Pick(in PickContext context, ReadOnlySpan<Instance?> tried) => PowerOfTwoChoices.Pick(Ready, tried, Now());

    /// <summary>Replaces the view. Instances that stay keep their state.</summary>
    /// <returns>False when nothing changed.</returns>
    public bool Apply(IReadOnlyCollection<InstanceConfig> configs)
    {
        var old = Ready;
        var known = old.ToDictionary(static i => i.Config);
        var next = configs.Distinct().Select(config => known.GetValueOrDefault(config) ?? new Instance(config, this)).ToArray();
        if (next.Length == old.Length && next.All(known.ContainsValue))
        {
            return false;
        }

        Volatile.Write(ref _ready, next);
        return true;
    }

    /// <summary>What a try says about its instance.</summary>
    public void Ended(Instance instance, Outcome outcome, long latencyTicks)
    {
        if (outcome == Outcome.ConnectError)
        {
            if (instance.FailedToConnect(Now()))
            {
                logger.InstanceEjected(instance.Prefix, Model.Name, outcome);
            }
        }
        else if (outcome is Outcome.Success or Outcome.ServerError && instance.Succeeded())
        {
            logger.InstanceBack(instance.Prefix, Model.Name);
        }
    }

    /// <summary>Its instances at this moment.</summary>
    public IEnumerable<InstanceRow> Describe() => Ready.Select(i => new InstanceRow(
        Model.Name, i.Config.Id, i.Config.Address, "lease", null, 0, i.Weight, i.Weight, i.IsEjected ? InstanceStateName.Ejected : InstanceStateName.Ready, i.InFlight,
        0, 0, 0, i.IsEjected ? nameof(Outcome.ConnectError) : null));

    /// <summary>Milliseconds, monotonic.</summary>
    private long Now() => (long)time.GetElapsedTime(0).TotalMilliseconds;
}
