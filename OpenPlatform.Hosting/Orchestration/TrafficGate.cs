namespace OpenPlatform.Hosting.Orchestration;

/// <summary>
/// Puts one replica behind the shared addresses of its resource and takes it out. DCP alone would send traffic from the moment the
/// process is spawned; here an Endpoint exists only while the replica is ready.
/// </summary>
internal sealed class TrafficGate(DcpClient dcp, string replicaId, DcpOwnerReference owner, IReadOnlyDictionary<string, int> portByService)
{
    private readonly AsyncLock _one = new();
    private readonly List<string> _open = [];
    private int _count;

    public bool IsOpen => _open.Count > 0;

    public async Task OpenAsync(CancellationToken ct)
    {
        using (await _one.EnterAsync(ct))
        {
            if (IsOpen)
            {
                return;
            }

            foreach (var (service, port) in portByService)
            {
                // The owner's uid makes the name unlike those of an earlier process of this replica, which DCP may still be removing.
                var name = $"{replicaId}-{service}-{owner.Uid[..8]}-{++_count}";
                await dcp.CreateAsync(new DcpEndpoint
                {
                    Metadata = new() { Name = name, OwnerReferences = [owner] },
                    Spec = new(service, "127.0.0.1", port),
                }, ct);
                _open.Add(name);
            }
        }
    }

    /// <summary>New connections go elsewhere from now on; existing ones live on.</summary>
    /// <returns>True where it was in traffic until now.</returns>
    public async Task<bool> CloseAsync(CancellationToken ct)
    {
        using (await _one.EnterAsync(ct))
        {
            var wasOpen = IsOpen;
            foreach (var name in _open)
            {
                await dcp.DeleteAsync<DcpEndpoint>(name, ct);
            }

            _open.Clear();
            return wasOpen;
        }
    }
}
