using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Options;
using OpenPlatform.ServiceDefaults.Health;

namespace OpenPlatform.Gateway.Protocols;

/// <summary>
/// How the gateway leaves. Asked to stop: <c>/health</c> says 503 and requests are still taken for the propagation delay; whoever
/// sends one meanwhile is told to take its connection elsewhere (<c>Connection: close</c>, GOAWAY). Then WebSockets are closed with
/// 1001, the port closes, what is in flight is finished, usage is sent, and the process ends.
/// </summary>
internal sealed class Drain : IHostedLifecycleService, IDisposable
{
    private readonly DrainState _state;
    private readonly DrainOptions _options;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _leaving = new();
    private long _since;

    public Drain(DrainState state, IOptions<DrainOptions> options, TimeProvider time, IHostApplicationLifetime lifetime)
    {
        _state = state;
        _options = options.Value;
        _time = time;
        lifetime.ApplicationStopping.Register(Begin);
    }

    /// <summary>Cancelled after the propagation delay: what would stay open for ever is to end now.</summary>
    public CancellationToken Leaving => _leaving.Token;

    /// <summary>While leaving, tells the client of this request to go: HTTP/1 by <c>Connection: close</c>, HTTP/2 by GOAWAY.</summary>
    public void Tell(HttpContext context)
    {
        if (_state.IsDraining)
        {
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }
    }

    // A service with a lease has waited for the same reason already; the two do not add up.
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        Begin();
        var left = _options.PropagationDelay - _time.GetElapsedTime(_since);
        if (left > TimeSpan.Zero)
        {
            await Task.Delay(left, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await _leaving.CancelAsync();
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _leaving.Dispose();

    private void Begin() => Interlocked.CompareExchange(ref _since, _time.GetTimestamp(), 0);
}
