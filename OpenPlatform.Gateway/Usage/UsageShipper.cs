using System.Net;
using OpenPlatform.Contracts.Usage;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Usage;

/// <summary>
/// Brings sealed segments to the catalog, oldest first, about once a second, and with them the orphans: segments whose gateway is
/// dead. A post may be repeated as often as it takes, the catalog counts a batch once. At a graceful stop the rest is sent.
/// </summary>
internal sealed class UsageShipper(UsageSpool spool, CatalogClient catalog, TimeProvider time, ILogger<UsageShipper> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PostTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FarewellTimeout = TimeSpan.FromSeconds(5);
    private const int OrphanScanEvery = 5;

    private readonly Lock _stop = new();
    private Task? _farewell;
    private bool _away;

    // Requests have ended when this is called: Kestrel starts last and stops first.
    public override Task StopAsync(CancellationToken cancellationToken)
    {
        lock (_stop)
        {
            // A host may be stopped by two at once; the usage is sent once.
            return _farewell ??= SayFarewellAsync(cancellationToken);
        }
    }

    private async Task SayFarewellAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var timeout = new CancellationTokenSource(FarewellTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await (ExecuteTask ?? Task.CompletedTask).WaitAsync(linked.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // it ends cancelled
            await ShipOwnAsync(linked.Token);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            logger.UsageLeftBehind(e.Message);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        for (var round = 0; !stoppingToken.IsCancellationRequested; round++)
        {
            try
            {
                await ShipOwnAsync(stoppingToken);
                if (round % OrphanScanEvery == 0)
                {
                    await ShipOrphansAsync(stoppingToken);
                }

                if (_away)
                {
                    _away = false;
                    logger.UsageDeliveredAgain();
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Counting never depends on it; it is tried again until it is done.
                if (!_away)
                {
                    _away = true;
                    logger.UsageWaits(e.Message);
                }
            }

            await Task.Delay(Interval * (0.8 + (0.2 * Random.Shared.NextDouble())), time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ShipOwnAsync(CancellationToken cancellationToken)
    {
        await ShipSealedAsync(cancellationToken);

        // Once a round: under load there is always something to seal, and posting would never pause.
        spool.Seal();
        await ShipSealedAsync(cancellationToken);
    }

    private async Task ShipSealedAsync(CancellationToken cancellationToken)
    {
        while (spool.TryPeekSealed(out var segment))
        {
            if (UsageSegmentReader.Read(segment.Read()) is { } batch && !await TryPostAsync(batch, cancellationToken))
            {
                spool.SetAside(segment);
            }
            else
            {
                spool.Delivered(segment);
            }
        }
    }

    private async Task ShipOrphansAsync(CancellationToken cancellationToken)
    {
        foreach (var path in Directory.EnumerateFiles(spool.Folder, "*" + UsageSpool.Extension).Where(path => !spool.IsOwn(path)).Order(StringComparer.Ordinal))
        {
            FileStream file;
            try
            {
                // Locked: its gateway lives, or another gateway is just shipping it.
                file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue;
            }

            await using (file)
            {
                var bytes = new byte[Math.Min(file.Length, UsageSegment.Size)];
                await file.ReadExactlyAsync(bytes, cancellationToken);
                try
                {
                    if (UsageSegmentReader.Read(bytes) is { } batch)
                    {
                        if (!await TryPostAsync(batch, cancellationToken))
                        {
                            File.Move(path, path + UsageSpool.RefusedExtension, overwrite: true);
                            continue;
                        }

                        logger.OrphanShipped(batch.Gateway, batch.Items.Sum(static i => i.Units));
                    }
                }
                catch (InvalidDataException e)
                {
                    File.Move(path, path + ".corrupt", overwrite: true);
                    logger.SegmentSetAside(path + ".corrupt", e.Message);
                    continue;
                }

                File.Delete(path);
            }
        }
    }

    /// <summary>False when the catalog understood the batch and does not want it: then it never will.</summary>
    /// <exception cref="HttpRequestException">Try again.</exception>
    private async Task<bool> TryPostAsync(UsageBatch batch, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(PostTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            await catalog.PostUsageAsync(batch, linked.Token);
            return true;
        }
        catch (HttpRequestException e) when (e.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.UnprocessableEntity)
        {
            logger.BatchRefused(batch.Gateway, batch.Sequence, batch.Items.Sum(static i => i.Units), (int)e.StatusCode);
            return false;
        }
    }
}
