using System.Threading.Channels;

namespace OpenPlatform.Hosting;

internal enum PublishingActivityType
{
    Step,
    Task,
    PublishComplete,
}

internal enum CompletionState
{
    InProgress,
    Completed,
    CompletedWithWarning,
    CompletedWithError,
}

/// <param name="StepId">Of a task: the step it belongs to.</param>
internal sealed record PublishingActivity(PublishingActivityType Type, string Id, string StatusText, CompletionState State, string? StepId = null, string? CompletionMessage = null);

/// <summary>What publishing is doing: the console prints it, the back channel of the command-line tool forwards it.</summary>
internal interface IPublishingActivityReporter
{
    void Report(PublishingActivity activity);

    /// <summary>Everything reported so far and all that follows; ends after <see cref="PublishingActivityType.PublishComplete"/>. For one reader.</summary>
    IAsyncEnumerable<PublishingActivity> ReadAllAsync(CancellationToken cancellationToken = default);
}

internal sealed class PublishingActivityReporter : IPublishingActivityReporter
{
    private readonly Channel<PublishingActivity> _activities = Channel.CreateUnbounded<PublishingActivity>();

    public void Report(PublishingActivity activity)
    {
        _activities.Writer.TryWrite(activity);
        if (activity.Type == PublishingActivityType.PublishComplete)
        {
            _activities.Writer.TryComplete();
        }
    }

    public IAsyncEnumerable<PublishingActivity> ReadAllAsync(CancellationToken cancellationToken = default) => _activities.Reader.ReadAllAsync(cancellationToken);
}
