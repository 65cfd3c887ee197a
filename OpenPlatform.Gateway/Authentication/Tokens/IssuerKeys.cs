using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Authentication.Tokens;

/// <summary>Keeps the keys of the issuers of the snapshot in force fresh, in the background.</summary>
internal sealed class IssuerKeys(IHttpClientFactory http, StateDirectory state, IOptions<AuthenticationOptions> options, TimeProvider time, ILogger<IssuerKeys> logger)
    : BackgroundService
{
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);
    private static readonly TimeSpan ShortestSleep = TimeSpan.FromMilliseconds(10);

    private readonly SemaphoreSlim _poke = new(0, 1);
    private Dictionary<string, IssuerKeySource> _sources = new(StringComparer.Ordinal);

    /// <summary>These issuers from now on; those that stay keep their keys. Called when a snapshot is compiled, one at a time.</summary>
    public void Follow(IReadOnlyList<IssuerModel> issuers)
    {
        if (issuers.Count == 0 && _sources.Count == 0)
        {
            return;
        }

        var sources = new Dictionary<string, IssuerKeySource>(StringComparer.Ordinal);
        foreach (var issuer in issuers)
        {
            var id = IdOf(issuer);
            sources[id] = _sources.GetValueOrDefault(id)
                ?? new(issuer, id, http.CreateClient(nameof(IssuerKeys)), state, options.Value, time, logger);
        }

        Volatile.Write(ref _sources, sources);
        if (_poke.CurrentCount == 0)
        {
            _poke.Release();
        }
    }

    public IssuerKeySource Of(IssuerModel issuer) => _sources[IdOf(issuer)];

    public override void Dispose()
    {
        base.Dispose();
        _poke.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var sources = Volatile.Read(ref _sources).Values;
            await Task.WhenAll(sources.Where(static source => source.DueIn <= TimeSpan.Zero).Select(static source => source.RefreshAsync()));
            var due = sources.Select(static source => source.DueIn).Append(LongestSleep).Min();
            var sleep = due > ShortestSleep ? due : ShortestSleep;
            await ((Task)_poke.WaitAsync(sleep, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Another address or other given keys make another source; what else an issuer says does not touch its keys.</summary>
    private static string IdOf(IssuerModel issuer)
    {
        var identity = JsonSerializer.SerializeToUtf8Bytes(new(issuer.Issuer, string.Empty, [], issuer.JwksUri, issuer.Keys), SnapshotJson.Default.IssuerModel);
        return Convert.ToHexStringLower(SHA256.HashData(identity).AsSpan(0, 16));
    }
}
