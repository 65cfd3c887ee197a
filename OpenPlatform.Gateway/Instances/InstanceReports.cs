using System.Text.Json;
using OpenPlatform.Contracts;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.ServiceDefaults.Instances;

namespace OpenPlatform.Gateway.Instances;

/// <summary>Tells the catalog which instances this gateway knows and in what state they are. Nothing waits for it.</summary>
internal sealed class InstanceReports(InstanceDirectory directory, CatalogClient catalog, ServiceIdentity identity) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(2);

    /// <summary>Said again though nothing changed: the catalog forgets who has been silent for three times as long.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        byte[] told = [];
        var at = 0L;
        using var look = new PeriodicTimer(Look);
        while (await WaitAsync(look, stoppingToken))
        {
            var report = JsonSerializer.SerializeToUtf8Bytes(new(identity.InstanceId, Seen()), InstanceReportJson.Default.InstanceReport);
            if (at != 0 && report.AsSpan().SequenceEqual(told) && System.Diagnostics.Stopwatch.GetElapsedTime(at) < Interval)
            {
                continue;
            }

            try
            {
                using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                timeout.CancelAfter(Timeout);
                await catalog.ReportInstancesAsync(report, timeout.Token);
                (told, at) = (report, System.Diagnostics.Stopwatch.GetTimestamp());
            }
            catch (Exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Whether the catalog is away is said by those who need something of it; the next report is as good as this one.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private SeenInstance[] Seen() =>
    [
        .. directory.Backends
            .SelectMany(static backend => backend.Describe().Select(row => new SeenInstance(
                backend.Model.BackendId, row.Id, row.Address.GetLeftPart(UriPartial.Authority), row.Zone, Name(row.Source), row.Weight, Name(row.State),
                row.EjectedBecause is { } reason ? Name(reason) : null)))
            .OrderBy(static instance => instance.BackendId).ThenBy(static instance => instance.Address, StringComparer.Ordinal)
            .Take(InstanceReport.MostInstances),
    ];

    private static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
