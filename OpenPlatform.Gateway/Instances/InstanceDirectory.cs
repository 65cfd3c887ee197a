using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.State;
using OpenPlatform.ServiceDefaults.Instances;

namespace OpenPlatform.Gateway.Instances;

/// <summary>
/// The instance tables: one per backend. Sources are leases and the addresses of the snapshot, together; when both are silent,
/// <c>services:&lt;service&gt;:http:&lt;n&gt;</c> of the configuration. An empty or failed answer never replaces a view that
/// has instances, and the last view of each service survives a restart on disk.
/// </summary>
internal sealed class InstanceDirectory
{
    public const string FileName = "instances.json";

    private readonly ConcurrentDictionary<Guid, BackendState> _backends = new();
    private readonly IConfiguration _configuration;
    private readonly StateDirectory _state;
    private readonly TimeProvider _time;
    private readonly ILogger<InstanceDirectory> _logger;
    private readonly Dictionary<string, InstanceConfig[]> _remembered;

    public InstanceDirectory(IConfiguration configuration, StateDirectory state, TimeProvider time, ILogger<InstanceDirectory> logger)
    {
        _configuration = configuration;
        _state = state;
        _time = time;
        _logger = logger;
        _remembered = Load();
    }

    /// <summary>Called when a snapshot is compiled; a new backend starts with what is known without asking anybody.</summary>
    public BackendState GetOrAdd(BackendModel model)
    {
        var backend = _backends.GetOrAdd(model.BackendId, static (_, a) => new(a.model, a._time, a._logger), (model, _time, _logger));
        backend.Model = model;
        var remembered = model.Service is { } service ? _remembered.GetValueOrDefault(service, []) : [];
        Apply(backend, backend.Ready.Length == 0 ? remembered : [.. backend.Ready.Select(static i => i.Config).Where(c => !IsStatic(c, model))]);
        return backend;
    }

    /// <summary>Takes in what the registry answered for the backend's service.</summary>
    public void Apply(BackendState backend, IReadOnlyList<InstanceLease> leases)
    {
        // Draining ones are known but get nothing new; when all of them drain there is nobody to ask, which is not "no answer".
        var ready = leases.Where(static l => l.Status == InstanceStatus.Ready).Select(static l => new InstanceConfig(l.InstanceId, l.Address, l.Weight)).ToArray();
        if (ready.Length == 0 && leases.Count > 0)
        {
            Replace(backend, Static(backend.Model));
            return;
        }

        Apply(backend, ready);
        if (ready.Length > 0)
        {
            Remember(backend.Model.Service!, ready);
        }
    }

    /// <summary>All instances of all backends at this moment.</summary>
    public IReadOnlyList<InstanceRow> Describe() => [.. _backends.Values.OrderBy(static b => b.Model.Name, StringComparer.Ordinal).SelectMany(static b => b.Describe())];

    private void Apply(BackendState backend, InstanceConfig[] leased)
    {
        InstanceConfig[] all = [.. leased, .. Static(backend.Model)];
        if (all.Length == 0 && backend.Model.Service is { } service)
        {
            all = Configured(service);
        }

        if (all.Length > 0)
        {
            Replace(backend, all);
        }
    }

    private void Replace(BackendState backend, InstanceConfig[] all)
    {
        if (backend.Apply(all))
        {
            _logger.InstancesChanged(backend.Model.Name, all.Length);
        }
    }

    private static InstanceConfig[] Static(BackendModel model) => [.. model.Addresses.Select(static a => new InstanceConfig(a.Authority, a))];

    private static bool IsStatic(InstanceConfig config, BackendModel model) => model.Addresses.Any(a => a.Authority == config.Id);

    private InstanceConfig[] Configured(string service) =>
    [
        .. _configuration.GetSection($"services:{service}:http").GetChildren()
            .Select(static child => Uri.TryCreate(child.Value, UriKind.Absolute, out var address) ? new InstanceConfig(address.Authority, address) : null)
            .OfType<InstanceConfig>()
    ];

    private void Remember(string service, InstanceConfig[] ready)
    {
        lock (_remembered)
        {
            if (_remembered.TryGetValue(service, out var old) && old.ToHashSet().SetEquals(ready))
            {
                return;
            }

            _remembered[service] = ready;
            try
            {
                _state.Write(FileName, JsonSerializer.SerializeToUtf8Bytes(_remembered, InstanceJson.Default.DictionaryStringInstanceConfigArray));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _logger.InstancesNotKept(e);
            }
        }
    }

    private Dictionary<string, InstanceConfig[]> Load()
    {
        var json = _state.Read(FileName, out var damage);
        if (damage is not null)
        {
            _logger.InstanceFileDamaged(damage);
        }

        try
        {
            return json is null ? [] : JsonSerializer.Deserialize(json, InstanceJson.Default.DictionaryStringInstanceConfigArray) ?? [];
        }
        catch (JsonException e)
        {
            _logger.InstanceFileDamaged(e.Message);
            return [];
        }
    }
}

[JsonSerializable(typeof(Dictionary<string, InstanceConfig[]>))]
internal sealed partial class InstanceJson : JsonSerializerContext;
