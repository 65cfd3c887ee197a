using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Authentication.Tokens;

/// <summary>
/// The keys of one issuer: given in the snapshot, fetched from its JWKS address, and kept on disk. An issuer that is away, or
/// answers without a usable key, changes nothing: what was last fetched counts on, in this process and in the next.
/// </summary>
internal sealed class IssuerKeySource
{
    private const int MaxBytes = 256 << 10;

    private readonly IssuerModel _issuer;
    private readonly string _fileName;
    private readonly HttpClient _http;
    private readonly StateDirectory _state;
    private readonly AuthenticationOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private KeySet _current;
    private byte[] _fetched = [];
    private Task? _flight;
    private long? _lastFetch;
    private int _failures;

    public IssuerKeySource(IssuerModel issuer, string id, HttpClient http, StateDirectory state, AuthenticationOptions options, TimeProvider time, ILogger logger)
    {
        (_issuer, _fileName, _http, _state, _options, _time, _logger) = (issuer, $"issuer-{id}.json", http, state, options, time, logger);
        _current = KeySet.Of(issuer.Keys ?? [], []);
        if (issuer.JwksUri is not null && state.Read(_fileName, out _) is { } kept)
        {
            Take(kept);
        }
    }

    public KeySet Current => Volatile.Read(ref _current);

    /// <summary>When the background should fetch next; <see cref="TimeSpan.MaxValue"/>: never.</summary>
    public TimeSpan DueIn
    {
        get
        {
            lock (_lock)
            {
                return _issuer.JwksUri is null ? TimeSpan.MaxValue
                    : _lastFetch is not { } last ? TimeSpan.Zero
                    : (_failures == 0 ? _options.IssuerKeysInterval : Backoff()) - _time.GetElapsedTime(last);
            }
        }
    }

    /// <summary>
    /// For a token whose key is not in <see cref="Current"/>: fetches, unless that was done within the back-off. Whoever comes
    /// meanwhile waits for the same fetch. Never throws for a failed one.
    /// </summary>
    public Task RefreshForUnknownKeyAsync()
    {
        lock (_lock)
        {
            if (_flight is { IsCompleted: false })
            {
                return _flight;
            }

            var soon = _lastFetch is { } last && _time.GetElapsedTime(last) < Backoff();
            return _issuer.JwksUri is null || soon ? Task.CompletedTask : BeginFetch();
        }
    }

    /// <summary>Fetches; never throws.</summary>
    public Task RefreshAsync()
    {
        lock (_lock)
        {
            return _flight is { IsCompleted: false } ? _flight : BeginFetch();
        }
    }

    private Task BeginFetch()
    {
        _lastFetch = _time.GetTimestamp();
        return _flight = Task.Run(FetchAsync);
    }

    /// <summary>Doubles with each failure, up to the ordinary interval.</summary>
    private TimeSpan Backoff() => TimeSpan.FromTicks(Math.Min(
        Math.Max(_options.IssuerKeysInterval.Ticks, _options.IssuerKeysBackoff.Ticks), _options.IssuerKeysBackoff.Ticks << Math.Min(_failures, 16)));

    private async Task FetchAsync()
    {
        string? problem;
        try
        {
            using var timeout = new CancellationTokenSource(_options.IssuerKeysTimeout);
            using var response = await _http.GetAsync(_issuer.JwksUri, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
            response.EnsureSuccessStatusCode();
            await response.Content.LoadIntoBufferAsync(MaxBytes, timeout.Token);
            var json = await response.Content.ReadAsByteArrayAsync(timeout.Token);
            problem = Take(json) ? null : "the answer holds no usable key";
            if (problem is null)
            {
                _state.Write(_fileName, json);
            }
        }
        catch (Exception e)
        {
            problem = e.Message;
        }

        lock (_lock)
        {
            _lastFetch = _time.GetTimestamp();
            _failures = problem is null ? 0 : _failures + 1;
        }

        if (problem is not null)
        {
            _logger.IssuerKeysKept(_issuer.Issuer, Current.Count, problem);
        }
    }

    private bool Take(byte[] json)
    {
        if (KeySet.ParseJwks(json) is not { Count: > 0 } keys)
        {
            return false;
        }

        if (!json.AsSpan().SequenceEqual(_fetched))
        {
            _fetched = json;
            Volatile.Write(ref _current, KeySet.Of(_issuer.Keys ?? [], keys));
            _logger.IssuerKeysTaken(Current.Count, _issuer.Issuer);
        }

        return true;
    }
}
