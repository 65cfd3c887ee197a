using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Observability;

/// <summary>When a request entered each step: what turns a sampled request into an explanation.</summary>
internal sealed class StepClock
{
    /// <summary>Steps beyond these are not timed.</summary>
    public const int MostSteps = 32;

    private Times _entered;

    [InlineArray(MostSteps)]
    private struct Times
    {
        private long _first;
    }

    public void Enter(int step) => _entered[step] = Stopwatch.GetTimestamp();

    /// <summary>When the step was entered; 0: it was not.</summary>
    public long Entered(int step) => _entered[step];

    /// <summary>µs from entering each step to entering the next one; the last one's to <paramref name="end"/>. Steps that were not reached are absent.</summary>
    public IEnumerable<(int Step, double Microseconds)> Read(long end)
    {
        var reached = Enumerable.Range(0, MostSteps).Where(i => _entered[i] != 0).Select(i => (Step: i, At: _entered[i])).OrderBy(static s => s.At).ToArray();
        return reached.Select((s, i) => (s.Step, Stopwatch.GetElapsedTime(s.At, i + 1 < reached.Length ? reached[i + 1].At : end).TotalMicroseconds));
    }
}

/// <summary>What one step made of a request.</summary>
/// <param name="Microseconds">Until the next step began; the last step's until the end. Null when the request was not timed.</param>
/// <param name="Decision">For example the operation, the application, the limit and what it leaves.</param>
internal sealed record StepDecision(string Step, double? Microseconds, string? Decision);

/// <summary>What became of one request.</summary>
internal sealed record RequestDecisions(
    string RequestId, DateTimeOffset At, string Method, int Status, string? Refusal, string? Route, Guid? Application, Guid? Plan, string? Instance, double Microseconds,
    IReadOnlyList<StepDecision> Steps);

/// <summary>The last requests that were sampled or refused.</summary>
internal sealed class DecisionRing(IOptions<ObservabilityOptions> options)
{
    private readonly RecordedRequest?[] _kept = new RecordedRequest?[options.Value.DecisionsKept];
    private long _next = -1;

    public void Add(RecordedRequest request) => Volatile.Write(ref _kept[Interlocked.Increment(ref _next) % _kept.Length], request);

    /// <summary>Newest first.</summary>
    public IEnumerable<RequestDecisions> Latest() => Kept().Select(static request => request.Explain());

    public RequestDecisions? Find(string requestId) => Kept().FirstOrDefault(request => request.RequestId == requestId)?.Explain();

    private IEnumerable<RecordedRequest> Kept()
    {
        var newest = Volatile.Read(ref _next);
        for (var i = newest; i >= 0 && i > newest - _kept.Length; i--)
        {
            if (Volatile.Read(ref _kept[i % _kept.Length]) is { } request)
            {
                yield return request;
            }
        }
    }
}
