using System.ComponentModel.DataAnnotations;
using System.Threading.RateLimiting;
using Polly.Telemetry;

namespace Polly.RateLimiting;

/// <summary>Settings of a limiter strategy, named as in Polly.RateLimiting.</summary>
public class RateLimiterStrategyOptions : ResilienceStrategyOptions
{
    /// <summary>1,000 at once, none waiting; used when <see cref="RateLimiter"/> is null.</summary>
    [Required]
    public ConcurrencyLimiterOptions DefaultRateLimiterOptions { get; set; } = new() { PermitLimit = 1000, QueueLimit = 0 };

    /// <summary>Replaces the default limiter.</summary>
    public Func<ResilienceContext, ValueTask<RateLimitLease>>? RateLimiter { get; set; }
}

/// <summary>The limiter refused; nothing was sent.</summary>
public sealed class RateLimiterRejectedException(TimeSpan? retryAfter)
    : ExecutionRejectedException("The limit of concurrent requests of this client is reached; the request was not sent.")
{
    /// <summary>When the limiter expects to have room, if it knows.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}

internal sealed class RateLimiterStrategy(RateLimiterStrategyOptions options, ResilienceStrategyTelemetry telemetry) : ResilienceStrategy<HttpResponseMessage>, IDisposable
{
    private readonly ConcurrencyLimiter _default = new(options.DefaultRateLimiterOptions);

    protected override async ValueTask<Outcome<HttpResponseMessage>> ExecuteCore<TState>(
        Func<ResilienceContext, TState, ValueTask<Outcome<HttpResponseMessage>>> callback, ResilienceContext context, TState state)
    {
        using var lease = options.RateLimiter is { } limiter ? await limiter(context) : await _default.AcquireAsync(1, context.CancellationToken);
        if (lease.IsAcquired)
        {
            return await callback(context, state);
        }

        var rejected = new RateLimiterRejectedException(lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : null);
        telemetry.Report(new ResilienceEvent(ResilienceEventSeverity.Error, "OnRateLimiterRejected"), context, rejected);
        return Outcome.FromException<HttpResponseMessage>(rejected);
    }

    public void Dispose() => _default.Dispose();
}
