using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Instances;

/// <summary>A backend and its instances; shared by all snapshots that name it.</summary>
internal sealed class BackendState(BackendModel model)
{
    private BackendModel _model = model;
    private Instance[] _ready = [];

    /// <summary>What the latest snapshot says about it.</summary>
    public BackendModel Model
    {
        get => Volatile.Read(ref _model);
        set => Volatile.Write(ref _model, value);
    }

    /// <summary>Instances that take new requests, ejected ones included. Never changed, only replaced.</summary>
    public Instance[] Ready => Volatile.Read(ref _ready);

    /// <summary>Replaces the view. Instances that stay keep their state.</summary>
    /// <returns>False when nothing changed.</returns>
    public bool Apply(IReadOnlyCollection<InstanceConfig> configs)
    {
        var old = Ready;
        var known = old.ToDictionary(static i => i.Config);
        var next = configs.Distinct().Select(config => known.GetValueOrDefault(config) ?? new Instance(config)).ToArray();
        if (next.Length == old.Length && next.All(known.ContainsValue))
        {
            return false;
        }

        Volatile.Write(ref _ready, next);
        return true;
    }
}
