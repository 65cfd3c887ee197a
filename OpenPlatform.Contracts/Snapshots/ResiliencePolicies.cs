namespace OpenPlatform.Contracts.Snapshots;

/// <summary>How long the gateway waits for a backend. A member that is null has the gateway's own setting.</summary>
/// <param name="ConnectMilliseconds">Longest time to connect to an instance, 10 to 60,000 ms.</param>
/// <param name="FirstByteMilliseconds">
/// Longest time from a try to the head of the answer, 10 to 3,600,000 ms; then the next try, or 504. Where a body is passed on as it comes, from the
/// end of that body (while it is being sent, only silence counts: <paramref name="IdleMilliseconds"/>); not for the streams of gRPC.
/// </param>
/// <param name="IdleMilliseconds">Longest time without any progress in either direction, 10 to 3,600,000 ms.</param>
/// <param name="TotalMilliseconds">Longest time for all tries and the whole answer, 10 to 3,600,000 ms; null: any, so that streams may last.</param>
public sealed record TimeoutPolicy(
    int? ConnectMilliseconds = null, int? FirstByteMilliseconds = null, int? IdleMilliseconds = null, int? TotalMilliseconds = null);

/// <summary>When a failed request is tried on another instance. Only safe and idempotent requests are (RFC 9110, 9.2.2), unless nothing was sent.</summary>
/// <param name="Retries">Further tries, 0 to 2; null: the gateway's setting.</param>
/// <param name="Statuses">Answers that count as a failure of the instance: some of 502, 503, 504.</param>
/// <param name="MaxBodyBytes">Bodies up to this size are kept for a second try, 0 to 1,048,576 bytes; 0: none.</param>
public sealed record RetryPolicy(int? Retries = null, IReadOnlyList<int>? Statuses = null, int MaxBodyBytes = 64 << 10);

/// <summary>Stops asking a backend that fails: 503 at once, and one request a time to find out whether it is back.</summary>
/// <param name="FailurePercent">Share of failed requests (no answer, or 5xx) from which on it opens, 1 to 100 %.</param>
/// <param name="MinimumRequests">Fewer requests than this in a window say nothing, 1 to 10,000.</param>
/// <param name="WindowSeconds">How far it looks back, 1 to 600 s.</param>
/// <param name="OpenSeconds">Wait before each probe, 1 to 600 s.</param>
public sealed record BreakerPolicy(int FailurePercent = 50, int MinimumRequests = 20, int WindowSeconds = 10, int OpenSeconds = 5);

/// <summary>How many requests may be under way at once; more are answered 503 at once, so that one API or one caller cannot take all.</summary>
/// <param name="MaxConcurrent">In all, 1 to 100,000.</param>
/// <param name="MaxConcurrentPerApplication">For each application, 1 to 100,000.</param>
public sealed record BulkheadPolicy(int? MaxConcurrent = null, int? MaxConcurrentPerApplication = null);

internal static class ResiliencePolicyValidator
{
    public static void Validate(ApiPolicies policies, string at, Action<string, string> problem)
    {
        Validate(policies.Timeouts, at + "/timeouts", problem);
        if (policies.Retry is { } retry)
        {
            Range(retry.Retries, 0, 2, at + "/retry/retries", "tries", problem);
            Range(retry.MaxBodyBytes, 0, 1 << 20, at + "/retry/maxBodyBytes", "bytes", problem);
            for (var i = 0; i < retry.Statuses?.Count; i++)
            {
                if (retry.Statuses[i] is < 502 or > 504)
                {
                    problem($"{at}/retry/statuses/{i}", "must be 502, 503 or 504");
                }
            }
        }

        if (policies.Breaker is { } breaker)
        {
            Range(breaker.FailurePercent, 1, 100, at + "/breaker/failurePercent", "%", problem);
            Range(breaker.MinimumRequests, 1, 10_000, at + "/breaker/minimumRequests", "requests", problem);
            Range(breaker.WindowSeconds, 1, 600, at + "/breaker/windowSeconds", "s", problem);
            Range(breaker.OpenSeconds, 1, 600, at + "/breaker/openSeconds", "s", problem);
        }

        if (policies.Bulkhead is { } bulkhead)
        {
            Range(bulkhead.MaxConcurrent, 1, 100_000, at + "/bulkhead/maxConcurrent", "requests", problem);
            Range(bulkhead.MaxConcurrentPerApplication, 1, 100_000, at + "/bulkhead/maxConcurrentPerApplication", "requests", problem);
        }
    }

    public static void Validate(TimeoutPolicy? timeouts, string at, Action<string, string> problem)
    {
        if (timeouts is not null)
        {
            Range(timeouts.ConnectMilliseconds, 10, 60_000, at + "/connectMilliseconds", "ms", problem);
            Range(timeouts.FirstByteMilliseconds, 10, 3_600_000, at + "/firstByteMilliseconds", "ms", problem);
            Range(timeouts.IdleMilliseconds, 10, 3_600_000, at + "/idleMilliseconds", "ms", problem);
            Range(timeouts.TotalMilliseconds, 10, 3_600_000, at + "/totalMilliseconds", "ms", problem);
        }
    }

    private static void Range(int? value, int least, int most, string at, string unit, Action<string, string> problem)
    {
        if (value < least || value > most)
        {
            problem(at, $"must be {least:N0} to {most:N0} {unit}");
        }
    }
}
