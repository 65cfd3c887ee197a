using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Polly;
using Polly.CircuitBreaker;
using Polly.RateLimiting;
using Polly.Retry;
using Polly.Timeout;

namespace Microsoft.Extensions.Http.Resilience;

/// <summary>
/// The standard pipeline, from the outside in: rate limiter, total timeout, retry, circuit breaker, attempt timeout. Names and
/// defaults are those of Microsoft.Extensions.Http.Resilience.
/// </summary>
public class HttpStandardResilienceOptions
{
    /// <summary>1,000 requests at once, none waiting.</summary>
    [Required]
    [ValidateObjectMembers]
    public HttpRateLimiterStrategyOptions RateLimiter { get; set; } = new() { Name = "Standard-RateLimiter" };

    /// <summary>30 s for all attempts together.</summary>
    [Required]
    [ValidateObjectMembers]
    public HttpTimeoutStrategyOptions TotalRequestTimeout { get; set; } = new() { Name = "Standard-TotalRequestTimeout" };

    /// <summary>3 retries, 2 s doubling with jitter, or what Retry-After says.</summary>
    [Required]
    [ValidateObjectMembers]
    public HttpRetryStrategyOptions Retry { get; set; } = new() { Name = "Standard-Retry" };

    /// <summary>Opens for 5 s when 10 % of at least 100 attempts within 30 s failed.</summary>
    [Required]
    [ValidateObjectMembers]
    public HttpCircuitBreakerStrategyOptions CircuitBreaker { get; set; } = new() { Name = "Standard-CircuitBreaker" };

    /// <summary>10 s for one attempt.</summary>
    [Required]
    [ValidateObjectMembers]
    public HttpTimeoutStrategyOptions AttemptTimeout { get; set; } = new() { Name = "Standard-AttemptTimeout", Timeout = TimeSpan.FromSeconds(10) };
}

/// <summary>How many requests may be under way.</summary>
public class HttpRateLimiterStrategyOptions : RateLimiterStrategyOptions;

public class HttpTimeoutStrategyOptions : TimeoutStrategyOptions;

public class HttpCircuitBreakerStrategyOptions : CircuitBreakerStrategyOptions<HttpResponseMessage>
{
    public HttpCircuitBreakerStrategyOptions() =>
        ShouldHandle = args => ValueTask.FromResult(HttpClientResiliencePredicates.IsTransient(args.Outcome));
}

public class HttpRetryStrategyOptions : RetryStrategyOptions<HttpResponseMessage>
{
    private bool _shouldRetryAfterHeader;

    public HttpRetryStrategyOptions()
    {
        ShouldHandle = args => ValueTask.FromResult(
            HttpClientResiliencePredicates.IsTransient(args.Outcome) || HttpClientResiliencePredicates.IsConnectTimeout(args.Outcome, args.Context.CancellationToken));
        BackoffType = DelayBackoffType.Exponential;
        UseJitter = true;
        ShouldRetryAfterHeader = true;
    }

    /// <summary>Whether the answer's Retry-After decides the wait. Default yes.</summary>
    public bool ShouldRetryAfterHeader
    {
        get => _shouldRetryAfterHeader;
        set
        {
            _shouldRetryAfterHeader = value;
            DelayGenerator = value ? args => ValueTask.FromResult(RetryAfter(args.Outcome.Result, TimeProvider.System)) : null;
        }
    }

    /// <summary>The wait that the answer asks for, null when it asks for none.</summary>
    internal static TimeSpan? RetryAfter(HttpResponseMessage? response, TimeProvider time) => response?.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } when date - time.GetUtcNow() is var wait => wait > TimeSpan.Zero ? wait : TimeSpan.Zero,
        _ => null,
    };
}

public static class HttpRetryStrategyOptionsExtensions
{
    /// <summary>No retry for DELETE, POST, PUT, CONNECT and PATCH: what was done once may not be done twice unasked.</summary>
    public static void DisableForUnsafeHttpMethods(this HttpRetryStrategyOptions options) =>
        options.DisableFor(HttpMethod.Delete, HttpMethod.Post, HttpMethod.Put, HttpMethod.Connect, HttpMethod.Patch);

    public static void DisableFor(this HttpRetryStrategyOptions options, params HttpMethod[] methods)
    {
        var shouldHandle = options.ShouldHandle;
        options.ShouldHandle = async args =>
            await shouldHandle(args)
            && !((args.Outcome.Result?.RequestMessage ?? ResilienceHandler.RequestOf(args.Context)) is { } request && methods.Contains(request.Method));
    }
}

public static class HttpClientResiliencePredicates
{
    /// <summary>Failures that may pass: no connection, a timeout of ours, 408, 429 and 5xx.</summary>
    public static bool IsTransient(Outcome<HttpResponseMessage> outcome) =>
        outcome.Exception is HttpRequestException or TimeoutRejectedException || outcome.Result is { StatusCode: var status } && (int)status is 408 or 429 or >= 500;

    /// <summary>SocketsHttpHandler reports its own connect timeout as a cancellation with a TimeoutException inside.</summary>
    internal static bool IsConnectTimeout(Outcome<HttpResponseMessage> outcome, CancellationToken cancellationToken) =>
        !cancellationToken.IsCancellationRequested && outcome.Exception is OperationCanceledException { InnerException: TimeoutException };
}

[OptionsValidator]
internal sealed partial class HttpStandardResilienceOptionsValidator : IValidateOptions<HttpStandardResilienceOptions>;

/// <summary>The rules between two values.</summary>
internal sealed class HttpStandardResilienceOptionsRules : IValidateOptions<HttpStandardResilienceOptions>
{
    public ValidateOptionsResult Validate(string? name, HttpStandardResilienceOptions options)
    {
        var errors = new ValidateOptionsResultBuilder();
        if (options.AttemptTimeout.Timeout > options.TotalRequestTimeout.Timeout)
        {
            errors.AddError(
                $"AttemptTimeout ({options.AttemptTimeout.Timeout.TotalSeconds} s) must not be longer than TotalRequestTimeout ({options.TotalRequestTimeout.Timeout.TotalSeconds} s).");
        }

        if (options.CircuitBreaker.SamplingDuration < options.AttemptTimeout.Timeout * 2)
        {
            errors.AddError(
                $"CircuitBreaker.SamplingDuration ({options.CircuitBreaker.SamplingDuration.TotalSeconds} s) must be at least twice AttemptTimeout ({options.AttemptTimeout.Timeout.TotalSeconds} s), or it sees no timeout twice.");
        }

        return errors.Build();
    }
}
