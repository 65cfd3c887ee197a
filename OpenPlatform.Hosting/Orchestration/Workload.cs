using System.Net;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>A process or a container under DCP, seen alike.</summary>
internal abstract class Workload
{
    public abstract string Kind { get; }
    public abstract IReadOnlyList<DcpEnvironmentVariable> Environment { get; }

    /// <summary>Starts it and returns its uid, which tells it from earlier ones of the same name.</summary>
    public abstract Task<string> CreateAsync(CancellationToken ct);
    public abstract Task StopAsync(CancellationToken ct);
    public abstract IAsyncEnumerable<string> LogAsync(string source, bool follow, CancellationToken ct);
}

internal sealed class Workload<T>(DcpClient dcp, T item, IReadOnlyList<DcpEnvironmentVariable> environment) : Workload where T : DcpObject, IDcpKind
{
    public override string Kind => item.Kind;
    public override IReadOnlyList<DcpEnvironmentVariable> Environment => environment;

    public override async Task<string> CreateAsync(CancellationToken ct)
    {
        // A stopped object cannot run again: the earlier one of this name makes place first.
        while (true)
        {
            try
            {
                return (await dcp.CreateAsync(item, ct)).Metadata.Uid!;
            }
            catch (DcpException e) when (e.Status == HttpStatusCode.Conflict)
            {
                await dcp.DeleteAsync<T>(item.Metadata.Name, ct);
                await Task.Delay(TimeSpan.FromMilliseconds(50), ct);
            }
        }
    }

    public override Task StopAsync(CancellationToken ct) => dcp.StopAsync<T>(item.Metadata.Name, ct);

    public override IAsyncEnumerable<string> LogAsync(string source, bool follow, CancellationToken ct) =>
        dcp.LogAsync<T>(item.Metadata.Name, source, follow, ct);
}
