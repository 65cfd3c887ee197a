using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.State;
using OpenPlatform.ServiceDefaults.Instances;

namespace OpenPlatform.Gateway.Instances;

/// <summary>
/// The instance tables: one per backend. Sources are leases, a file, DNS and the addresses of the snapshot, together; when all are
/// silent, <c>services:&lt;service&gt;:http:&lt;n&gt;</c> of the configuration. An empty or failed answer never replaces a view that
/// has instances, and the last leases of each service survive a restart on disk.
/// </summary>
internal sealed class InstanceDirectory
{
    public const string FileName = "instances.json";

    private readonly ConcurrentDictionary<Guid, BackendState> _backends = new();
    private readonly IConfiguration _configuration;
    private readonly StateDirectory _state;
    private readonly TimeProvider _time;
    private readonly string? _zone;
    private readonly ILogger<InstanceDirectory> _logger;
    private readonly Dictionary<string, InstanceConfig[]> _remembered;

    public InstanceDirectory(IConfiguration configuration, StateDirectory state, TimeProvider time, IOptions<LeaseOptions> leases, ILogger<InstanceDirectory> logger)
    {
        _configuration = configuration;
        _state = state;
        _time = time;
        _zone = leases.Value.Zone;
        _logger = logger;
        _remembered = Load();
    }

    /// <summary>The backends of the snapshot in force.</summary>
    public IEnumerable<BackendState> Backends => _backends.Values;

    /// <summary>Called when a snapshot is compiled; a new backend starts with what is known without asking anybody.</summary>
    public BackendState GetOrAdd(BackendModel model)
    {
        var backend = _backends.GetOrAdd(model.BackendId, static (_, a) => new(a.model, a._time, a._logger, a._zone), (model, _time, _logger, _zone));
        var isKnown = backend.View.All.Length > 0;
        backend.Model = model;
        if (!isKnown && model.Service is { } service)
        {
            InstanceConfig[] remembered;
            lock (_remembered)
            {
                remembered = _remembered.GetValueOrDefault(service, []);
            }

            Apply(backend, InstanceSource.Lease, remembered);
        }

        Apply(backend, InstanceSource.Snapshot, [.. model.Addresses.Select(static a => InstanceConfig.At(a, InstanceSource.Snapshot))]);
        Apply(backend, InstanceSource.Configuration, Configured(model.Service));
        return backend;
    }

    /// <summary>Forgets the backends that the latest snapshot does not name; requests that are under way keep theirs.</summary>
    public void Retain(IReadOnlySet<Guid> backendIds)
    {
        foreach (var (id, _) in _backends)
        {
            if (!backendIds.Contains(id))
            {
                _backends.TryRemove(id, out _);
            }
        }
    }

    /// <summary>Takes in what the registry answered for the backend's service. When all instances drain there is nobody to ask, which
    /// is not "no answer".</summary>
    public void Apply(BackendState backend, IReadOnlyList<InstanceLease> leases)
    {
        InstanceConfig[] configs = [.. leases.Select(static l => new InstanceConfig(l.InstanceId, l.Address, l.Weight, l.Zone, Draining: l.Status == InstanceStatus.Draining))];
        Apply(backend, InstanceSource.Lease, configs);
        if (Array.FindAll(configs, static c => !c.Draining) is { Length: > 0 } ready)
        {
            Remember(backend.Model.Service!, ready);
        }
    }

    public void Apply(BackendState backend, InstanceSource source, InstanceConfig[] configs)
    {
        if (backend.Apply(source, configs))
        {
            _logger.InstancesChanged(backend.Model.Name, backend.Ready.Length);
        }
    }

    /// <summary>All instances of all backends at this moment.</summary>
    public IReadOnlyList<InstanceRow> Describe() => [.. Backends.OrderBy(static b => b.Model.Name, StringComparer.Ordinal).SelectMany(static b => b.Describe())];

    private InstanceConfig[] Configured(string? service) => service is null ? [] :
    [
        .. _configuration.GetSection($"services:{service}:http").GetChildren()
            .Select(static child => Uri.TryCreate(child.Value, UriKind.Absolute, out var address) ? InstanceConfig.At(address, InstanceSource.Configuration) : null)
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
