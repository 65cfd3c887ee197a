using OpenPlatform.Gateway.Protocols;

namespace OpenPlatform.Gateway.Resilience;

/// <summary>How one operation is forwarded: its API's policies over the gateway's settings, compiled with the snapshot.</summary>
internal sealed class ForwardModel
{
    /// <summary>For the forwarder; its activity timeout is the idle timeout.</summary>
    public required BackendVersions Versions { get; init; }

    /// <summary>The same timeout in milliseconds.</summary>
    public required long IdleMilliseconds { get; init; }

    /// <summary>Null: the connection pool's own.</summary>
    public TimeSpan? Connect { get; init; }

    /// <summary>0: the idle timeout alone. Milliseconds.</summary>
    public int FirstByte { get; init; }

    /// <summary>0: none. Milliseconds.</summary>
    public int Total { get; init; }

    /// <summary>Further tries.</summary>
    public required int Retries { get; init; }

    /// <summary>Answers that count as a failure of the instance; bit n is status 500 + n.</summary>
    public int RetryStatuses { get; init; }

    /// <summary>A try that may have had an effect may be repeated.</summary>
    public required bool Idempotent { get; init; }

    /// <summary>Larger request bodies are streamed only.</summary>
    public int MaxReplayBytes { get; init; }

    public CircuitBreaker? Breaker { get; init; }

    /// <summary>For all applications together.</summary>
    public Bulkhead? Bulkhead { get; init; }

    /// <summary>For each application by itself.</summary>
    public ApplicationBulkheads? ApplicationBulkheads { get; init; }

    /// <summary>True when this answer is reason to try another instance.</summary>
    public bool IsRetryStatus(int status) => RetryStatuses != 0 && status is >= 500 and < 531 && (RetryStatuses & (1 << (status - 500))) != 0;

    /// <summary>RFC 9110, 9.2.2.</summary>
    public static bool IsIdempotent(string method) => method is "GET" or "HEAD" or "OPTIONS" or "PUT" or "DELETE";
}
