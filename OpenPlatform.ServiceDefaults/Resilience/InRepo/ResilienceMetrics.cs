using System.Diagnostics;
using System.Diagnostics.Metrics;
using Polly.Telemetry;

namespace Microsoft.Extensions.Http.Resilience;

/// <summary>What the pipelines do, in the instruments that Polly.Extensions would fill: meter <c>Polly</c>, durations in milliseconds.</summary>
internal sealed class ResilienceMetrics : TelemetryListener, IDisposable
{
    private readonly Meter _meter = new("Polly");
    private readonly Counter<int> _events;
    private readonly Histogram<double> _attempts;
    private readonly Histogram<double> _pipelines;

    public ResilienceMetrics()
    {
        _events = _meter.CreateCounter<int>("resilience.polly.strategy.events", description: "Resilience events: retries, timeouts, openings, rejections.");
        _attempts = _meter.CreateHistogram<double>("resilience.polly.strategy.attempt.duration", "ms", "Duration of one attempt.");
        _pipelines = _meter.CreateHistogram<double>("resilience.polly.pipeline.duration", "ms", "Duration of a request with all its attempts.");
    }

    public override void Write<TResult, TArgs>(in TelemetryEventArguments<TResult, TArgs> args)
    {
        // Every execution would make an event at severity None or Debug; counted is what somebody may have to look at.
        if (args.Event.Severity >= ResilienceEventSeverity.Information && _events.Enabled && args.Arguments is not (ExecutionAttemptArguments or PipelineExecutedArguments))
        {
            _events.Add(1, Tags(args));
        }

        if (args.Arguments is ExecutionAttemptArguments attempt && _attempts.Enabled)
        {
            var tags = Tags(args);
            tags.Add("attempt.number", attempt.AttemptNumber);
            tags.Add("attempt.handled", attempt.Handled);
            _attempts.Record(attempt.Duration.TotalMilliseconds, tags);
        }
        else if (args.Arguments is PipelineExecutedArguments executed && _pipelines.Enabled)
        {
            _pipelines.Record(executed.Duration.TotalMilliseconds, Tags(args));
        }
    }

    private static TagList Tags<TResult, TArgs>(in TelemetryEventArguments<TResult, TArgs> args)
    {
        // pipeline.instance, the authority, is left out: a client decides how many there are.
        var tags = new TagList
        {
            { "event.name", args.Event.EventName },
            { "event.severity", args.Event.Severity.ToString() },
            { "pipeline.name", args.Source.PipelineName },
            { "strategy.name", args.Source.StrategyName },
        };
        if (args.Outcome?.Exception is { } exception)
        {
            tags.Add("exception.type", exception.GetType().FullName);
        }

        return tags;
    }

    public void Dispose() => _meter.Dispose();
}
