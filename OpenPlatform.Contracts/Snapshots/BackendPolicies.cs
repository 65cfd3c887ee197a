using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>How an instance is chosen.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BalancingAlgorithm>))]
public enum BalancingAlgorithm
{
    /// <summary>Of two drawn by weight, the one with fewer requests in flight for its weight.</summary>
    [JsonStringEnumMemberName("power-of-two")]
    PowerOfTwo,

    /// <summary>By chance, weighted.</summary>
    [JsonStringEnumMemberName("random")]
    Random,

    /// <summary>In rounds; a heavier instance takes part in more of them.</summary>
    [JsonStringEnumMemberName("round-robin")]
    RoundRobin,

    /// <summary>In turn, a heavy instance's turns spread out evenly.</summary>
    [JsonStringEnumMemberName("smooth-round-robin")]
    SmoothRoundRobin,

    /// <summary>Of all, the one with the fewest requests in flight for its weight.</summary>
    [JsonStringEnumMemberName("least-requests")]
    LeastRequests,

    /// <summary>Of two drawn by weight, the one that promises the shorter wait: recent latency, quick to rise and slow to fall, times its queue.</summary>
    [JsonStringEnumMemberName("peak-ewma")]
    PeakEwma,

    /// <summary>The same key goes to the same instance, as long as that has not more than its share.</summary>
    [JsonStringEnumMemberName("consistent-hash")]
    ConsistentHash,
}

/// <summary>How requests are spread over the instances of a backend.</summary>
/// <param name="HashOn">Key of <see cref="BalancingAlgorithm.ConsistentHash"/>: <c>application</c>, <c>ip</c>, <c>path</c> or
/// <c>header:&lt;name&gt;</c> (a request without that header goes by its address). Null: <c>application</c>.</param>
/// <param name="MaxLoad">Consistent hash: most requests in flight at an instance, as a multiple of the mean for its weight. 1.05 to 10.</param>
/// <param name="PreferZone">Stay in the gateway's own zone as long as its instances are not much busier than the others.</param>
/// <param name="RampSeconds">Time in which an instance that joined or came back grows from a tenth to its full weight. 0 to 600 s; 0: at once.</param>
public sealed record BalancingPolicy(
    BalancingAlgorithm Algorithm = BalancingAlgorithm.PowerOfTwo, string? HashOn = null, double MaxLoad = 1.25, bool PreferZone = true, int RampSeconds = 5)
{
    public static BalancingPolicy Default { get; } = new();
}

/// <summary>When an instance is taken out and taken back.</summary>
/// <param name="Active">Probes; null: none, save one to an instance that is suspect.</param>
/// <param name="Passive">What the traffic says; null: <see cref="PassiveHealth.Default"/>.</param>
/// <param name="MaxEjectedPercent">Largest share that failing answers may take out; an instance that cannot be reached is out in any case. 0 to 100.</param>
/// <param name="PanicPercent">With a smaller healthy share than this, requests go to all that can be reached. 0 to 100.</param>
public sealed record HealthPolicy(ActiveHealth? Active = null, PassiveHealth? Passive = null, int MaxEjectedPercent = 50, int PanicPercent = 30)
{
    public static HealthPolicy Default { get; } = new();
}

/// <summary>A <c>GET</c> to every instance at an interval; 200 to 299 is healthy.</summary>
/// <param name="Path">For example <c>/health</c>.</param>
/// <param name="IntervalMs">100 to 600,000 ms; each wait is up to a tenth shorter or longer.</param>
/// <param name="TimeoutMs">10 to 60,000 ms.</param>
/// <param name="HealthyThreshold">Successes in a row that bring an instance back. 1 to 100.</param>
/// <param name="UnhealthyThreshold">Failures in a row that take it out. 1 to 100.</param>
public sealed record ActiveHealth(string Path, int IntervalMs = 5_000, int TimeoutMs = 2_000, int HealthyThreshold = 2, int UnhealthyThreshold = 3);

/// <summary>Ejection by failed requests: at once when an instance cannot be connected to; otherwise when it fails much more often than its peers.</summary>
/// <param name="WindowMs">Time over which the share of failures is taken. 1,000 to 600,000 ms.</param>
/// <param name="MinimumRequests">Fewer requests in the window say nothing. 1 to 1,000,000.</param>
/// <param name="FailurePercent">Share of 5xx, timeouts and broken answers that ejects. 1 to 100.</param>
/// <param name="ConsecutiveFailures">Timeouts and broken answers in a row that eject. 1 to 1,000.</param>
/// <param name="EjectionMs">First ejection; each further one in a row lasts twice as long, up to 32 times. 100 to 60,000 ms.</param>
public sealed record PassiveHealth(int WindowMs = 10_000, int MinimumRequests = 20, int FailurePercent = 50, int ConsecutiveFailures = 5, int EjectionMs = 1_000)
{
    public static PassiveHealth Default { get; } = new();
}

/// <summary>What is asked for.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DnsKind>))]
public enum DnsKind
{
    /// <summary>A and AAAA records, by the system's resolver.</summary>
    [JsonStringEnumMemberName("address")]
    Address,

    /// <summary>SRV records (RFC 2782): port, priority and weight come with them.</summary>
    [JsonStringEnumMemberName("srv")]
    Srv,
}

/// <summary>Instances by DNS.</summary>
/// <param name="Name">For example <c>orders.shop.svc</c>, or <c>_http._tcp.orders.shop.svc</c> for SRV.</param>
/// <param name="Port">Port of every address, 1 to 65,535; SRV has its own.</param>
/// <param name="Scheme"><c>http</c> or <c>https</c>.</param>
/// <param name="MaxSeconds">Longest time between two questions; a shorter time to live of the answer wins. 1 to 3,600 s.</param>
public sealed record DnsModel(string Name, DnsKind Kind = DnsKind.Address, int? Port = null, string Scheme = "http", int MaxSeconds = 10);

internal static partial class BackendPoliciesValidator
{
    public static void Validate(BackendModel backend, string at, Action<string, string> problem)
    {
        if (backend.Balancing is { } balancing)
        {
            Require(Enum.IsDefined(balancing.Algorithm), "balancing/algorithm", $"must be one of the algorithms: {balancing.Algorithm}");
            Require(balancing.HashOn is null || HashOn().IsMatch(balancing.HashOn), "balancing/hashOn", "must be application, ip, path or header:<name>");
            Require(balancing.MaxLoad is >= 1.05 and <= 10, "balancing/maxLoad", "must be 1.05 to 10");
            Require(balancing.RampSeconds is >= 0 and <= 600, "balancing/rampSeconds", "must be 0 to 600 s");
        }

        if (backend.Health is { } health)
        {
            Require(health.MaxEjectedPercent is >= 0 and <= 100, "health/maxEjectedPercent", "must be 0 to 100");
            Require(health.PanicPercent is >= 0 and <= 100, "health/panicPercent", "must be 0 to 100");
        }

        if (backend.Health?.Active is { } active)
        {
            Require(ProbePath().IsMatch(active.Path), "health/active/path", "must start with '/' and hold no space, '#' or control character");
            Require(active.IntervalMs is >= 100 and <= 600_000, "health/active/intervalMs", "must be 100 to 600,000 ms");
            Require(active.TimeoutMs is >= 10 and <= 60_000, "health/active/timeoutMs", "must be 10 to 60,000 ms");
            Require(active.HealthyThreshold is >= 1 and <= 100, "health/active/healthyThreshold", "must be 1 to 100");
            Require(active.UnhealthyThreshold is >= 1 and <= 100, "health/active/unhealthyThreshold", "must be 1 to 100");
        }

        if (backend.Health?.Passive is { } passive)
        {
            Require(passive.WindowMs is >= 1_000 and <= 600_000, "health/passive/windowMs", "must be 1,000 to 600,000 ms");
            Require(passive.MinimumRequests is >= 1 and <= 1_000_000, "health/passive/minimumRequests", "must be 1 to 1,000,000");
            Require(passive.FailurePercent is >= 1 and <= 100, "health/passive/failurePercent", "must be 1 to 100");
            Require(passive.ConsecutiveFailures is >= 1 and <= 1_000, "health/passive/consecutiveFailures", "must be 1 to 1,000");
            Require(passive.EjectionMs is >= 100 and <= 60_000, "health/passive/ejectionMs", "must be 100 to 60,000 ms");
        }

        if (backend.Dns is { } dns)
        {
            Require(dns.Name.Length <= 253 && DnsName().IsMatch(dns.Name), "dns/name", "must be a DNS name, such as orders.shop.svc");
            Require(Enum.IsDefined(dns.Kind), "dns/kind", $"must be address or srv: {dns.Kind}");
            Require(dns.Port is null or (>= 1 and <= 65_535), "dns/port", "must be 1 to 65,535");
            Require(dns.Scheme is "http" or "https", "dns/scheme", "must be http or https");
            Require(dns.MaxSeconds is >= 1 and <= 3_600, "dns/maxSeconds", "must be 1 to 3,600 s");
        }

        void Require(bool holds, string member, string message)
        {
            if (!holds)
            {
                problem($"{at}/{member}", message);
            }
        }
    }

    [GeneratedRegex("^(application|ip|path|header:[A-Za-z0-9-]{1,64})\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex HashOn();

    [GeneratedRegex("^/[!-\"$-~]{0,255}\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex ProbePath();

    [GeneratedRegex("^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.?\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex DnsName();
}
