using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>
/// What is known of one service. Renewed in the background when a provider says so or after the refresh period; meanwhile, and
/// when the renewal fails or finds nothing, the last view with endpoints goes on serving.
/// </summary>
internal sealed class ServiceView : IAsyncDisposable
{
    /// <summary>Wait before asking again when the providers failed: short, the service may be coming up.</summary>
    private static readonly TimeSpan AfterFailure = TimeSpan.FromSeconds(1);

    private readonly string _name;
    private readonly IServiceEndpointProvider[] _providers;
    private readonly TimeSpan _refreshPeriod;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _running;
    private volatile ServiceEndpointSource? _current;
    private volatile Exception? _failure;
    private uint _turn;
    private long _lastUsed;

    public ServiceView(string name, IServiceEndpointProvider[] providers, TimeSpan refreshPeriod, TimeProvider time, ILogger logger)
    {
        _name = name;
        _providers = providers;
        _refreshPeriod = refreshPeriod;
        _time = time;
        _logger = logger;

        // The refresh outlives the request that was first: it must not carry that request's trace or culture along.
        using (ExecutionContext.SuppressFlow())
        {
            _running = Task.Run(RefreshForEverAsync);
        }
    }

    /// <summary>Timestamp of the last question.</summary>
    public long LastUsed => Volatile.Read(ref _lastUsed);

    public ValueTask<ServiceEndpointSource> GetAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _lastUsed, _time.GetTimestamp());
        return _current is { } current ? ValueTask.FromResult(current) : FirstAsync(cancellationToken);
    }

    public ServiceEndpoint Pick(ServiceEndpointSource source) => source.Endpoints.Count > 0
        ? source.Endpoints[(int)(Interlocked.Increment(ref _turn) % (uint)source.Endpoints.Count)]
        : throw new InvalidOperationException($"No endpoint of '{_name}' is known.");

    private async ValueTask<ServiceEndpointSource> FirstAsync(CancellationToken cancellationToken)
    {
        await _first.Task.WaitAsync(cancellationToken);
        return _current ?? throw new InvalidOperationException($"The endpoints of '{_name}' cannot be found: {_failure?.Message}", _failure);
    }

    private async Task RefreshForEverAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var wait = _refreshPeriod;
            IChangeToken changed = NeverChanges.Instance;
            try
            {
                var builder = new Builder();
                foreach (var provider in _providers)
                {
                    await provider.PopulateAsync(builder, _stop.Token);
                }

                var found = builder.Build();
                changed = found.ChangeToken;

                // An empty answer never replaces a view with endpoints: rather a call to somebody who has left than none at all.
                if (found.Endpoints.Count > 0 || _current is null or { Endpoints.Count: 0 })
                {
                    _current = found;
                }
                else
                {
                    _logger.KeptView(_name, _current.Endpoints.Count);
                }
            }
#pragma warning disable CA1031 // Providers are foreign code; whatever they throw, the view stays and the next try comes.
            catch (Exception e)
#pragma warning restore CA1031
            {
                if (_stop.IsCancellationRequested)
                {
                    break;
                }

                _failure = e;
                _logger.RefreshFailed(e, _name);
                wait = AfterFailure < wait ? AfterFailure : wait;
            }

            _first.TrySetResult();
            await ChangeAsync(changed, wait);
        }

        _first.TrySetResult();
    }

    /// <summary>Ends with the token's change; after <paramref name="wait"/> when the token cannot tell, or nobody could be asked.</summary>
    private async Task ChangeAsync(IChangeToken changed, TimeSpan wait)
    {
        var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = changed.RegisterChangeCallback(static state => ((TaskCompletionSource)state!).TrySetResult(), signal);
        using var timeout = new CancellationTokenSource(changed.ActiveChangeCallbacks ? Timeout.InfiniteTimeSpan : wait, _time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stop.Token);
        await signal.Task.WaitAsync(ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        foreach (var provider in _providers)
        {
            await provider.DisposeAsync();
        }

        _stop.Dispose();
    }

    private sealed class Builder : IServiceEndpointBuilder
    {
        private readonly List<ServiceEndpoint> _endpoints = [];
        private readonly List<IChangeToken> _tokens = [];

        public IList<ServiceEndpoint> Endpoints => _endpoints;

        public IFeatureCollection Features { get; } = new FeatureCollection();

        public void AddChangeToken(IChangeToken changeToken) => _tokens.Add(changeToken);

        public ServiceEndpointSource Build() => new(_endpoints, _tokens.Count > 0 ? new CompositeChangeToken(_tokens) : NeverChanges.Instance, Features);
    }

    private sealed class NeverChanges : IChangeToken
    {
        public static readonly NeverChanges Instance = new();

        public bool HasChanged => false;

        public bool ActiveChangeCallbacks => false;

        public IDisposable RegisterChangeCallback(Action<object?> callback, object? state) => default(CancellationTokenRegistration);
    }
}

internal static partial class DiscoveryLog   // event ids 2300-2399
{
    [LoggerMessage(2301, LogLevel.Warning, "The endpoints of {Service} cannot be renewed; the last ones go on serving")]
    public static partial void RefreshFailed(this ILogger logger, Exception exception, string service);

    [LoggerMessage(2302, LogLevel.Warning, "No endpoint of {Service} is found any more; the last {Count} go on serving")]
    public static partial void KeptView(this ILogger logger, string service, int count);
}
