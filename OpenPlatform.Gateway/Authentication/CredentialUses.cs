using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Usage;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>A credential as the request path finds it.</summary>
internal abstract record FoundCredential(Guid CredentialId)
{
    /// <summary>The day (<see cref="DateOnly.DayNumber"/>) on which its use was noted last. Two requests at once note it twice; nothing worse.</summary>
    public int NotedOn { get; set; }
}

/// <summary>
/// Tells the catalog which credentials were used, to the day. A request costs a comparison; only the first of a day writes the id
/// down.
/// </summary>
internal sealed class CredentialUses(IServiceProvider services, IOptions<AuthenticationOptions> options, TimeProvider time) : BackgroundService
{
    private const int MostInReport = 10_000;
    private static readonly TimeSpan PostTimeout = TimeSpan.FromSeconds(10);

    private readonly ConcurrentQueue<Guid> _noted = new();
    private readonly HashSet<Guid> _waiting = [];
    private readonly HashSet<Guid> _told = [];

    // Without a catalog nobody is told: then no day comes, and nothing is noted.
    private readonly CatalogClient? _catalog = services.GetService<CatalogClient>();
    private volatile int _today = services.GetService<CatalogClient>() is null ? 0 : Day(time);

    /// <summary>Notes a use. Allocates nothing but for the first of a day.</summary>
    public void Note(FoundCredential credential)
    {
        if (credential.NotedOn != _today)
        {
            credential.NotedOn = _today;
            _noted.Enqueue(credential.CredentialId);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_catalog is null)
        {
            return;
        }

        using var timer = new PeriodicTimer(options.Value.CredentialUsesInterval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await TellAsync(stoppingToken);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !stoppingToken.IsCancellationRequested)
            {
                // The catalog is away: what waits is told later.
            }

            if (Day(time) is var day && day != _today)
            {
                _told.Clear();
                _today = day;
            }
        }
    }

    private async Task TellAsync(CancellationToken cancellationToken)
    {
        while (_noted.TryDequeue(out var id))
        {
            if (!_told.Contains(id))
            {
                _waiting.Add(id);
            }
        }

        while (_waiting.Count > 0)
        {
            Guid[] report = [.. _waiting.Take(MostInReport)];
            using var timeout = new CancellationTokenSource(PostTimeout, time);
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
            await _catalog!.PostCredentialUsesAsync(new CredentialUseReport(DateOnly.FromDayNumber(_today), report), linked.Token);
            _waiting.ExceptWith(report);
            _told.UnionWith(report);
        }
    }

    private static int Day(TimeProvider time) => DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime).DayNumber;
}
