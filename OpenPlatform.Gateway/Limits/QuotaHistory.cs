using System.Text.Json;
using OpenPlatform.Contracts.Usage;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Limits;

/// <summary>
/// What the catalog knows to have been used in the running periods: the truth of quotas, for a gateway that has not counted itself since they
/// began, when Redis does not remember either. Questions that come while one is under way go together in the next.
/// </summary>
internal sealed class QuotaHistory(CatalogClient catalog, TimeProvider time, ILogger<QuotaHistory> logger)
{
    /// <summary>A catalog that takes longer counts as away; requests have gone on without it long before.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private List<(QuotaWindow Window, TaskCompletionSource<long?> Answer)> _asked = [];
    private bool _asking;

    /// <summary>Since when this gateway counts by itself.</summary>
    public DateTimeOffset CountsSince { get; } = time.GetUtcNow();

    /// <summary>Units used in the window as far as the catalog was told, or null when it does not say. Never throws.</summary>
    public Task<long?> UsedAsync(QuotaWindow window)
    {
        var answer = new TaskCompletionSource<long?>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _asked.Add((window, answer));
            if (!_asking)
            {
                _asking = true;
                _ = Task.Run(AskAsync);
            }
        }

        return answer.Task;
    }

    private async Task AskAsync()
    {
        while (true)
        {
            List<(QuotaWindow Window, TaskCompletionSource<long?> Answer)> round;
            lock (_lock)
            {
                round = [.. _asked.Take(UsedUnitsRequest.MaxWindows)];
                _asked = [.. _asked.Skip(round.Count)];
                if (round.Count == 0)
                {
                    _asking = false;
                    return;
                }
            }

            var used = await AskAsync([.. round.Select(static asked => asked.Window)]);
            for (var i = 0; i < round.Count; i++)
            {
                round[i].Answer.SetResult(used?[i]);
            }
        }
    }

    private async Task<IReadOnlyList<long>?> AskAsync(IReadOnlyList<QuotaWindow> windows)
    {
        try
        {
            using var deadline = new CancellationTokenSource(Deadline);
            return await catalog.GetUsedUnitsAsync(windows, deadline.Token);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or JsonException)
        {
            logger.QuotaHistoryAway(windows.Count, e.Message);
            return null;
        }
    }
}

/// <summary>Whose quota it is.</summary>
internal sealed record QuotaOwner(QuotaHistory History, Guid ApplicationId, Guid PlanId)
{
    /// <summary>True when nobody here has counted since the period began.</summary>
    public bool MustAsk(DateTimeOffset begin) => History.CountsSince > begin;

    public Task<long?> UsedAsync(DateTimeOffset begin) => History.UsedAsync(new(ApplicationId, PlanId, null, begin));
}

internal static partial class LimitLog   // event ids 1800-1899
{
    [LoggerMessage(1801, LogLevel.Warning, "The catalog does not say what was used of {Count} quotas, a hundredth of each is given meanwhile: {Reason}")]
    public static partial void QuotaHistoryAway(this ILogger logger, int count, string reason);
}
