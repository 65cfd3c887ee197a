using Aspire.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.Hosting;

/// <summary>In publish mode: runs the wanted step, tells how it goes, and ends the process with 0 or 1 (a tool on the back channel ends it itself).</summary>
internal sealed class PublishRunner(IEnumerable<IPublishStep> steps, IPublishingActivityReporter reporter, IConfiguration configuration, HostingOptions options, IHostApplicationLifetime lifetime) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The host is up first, so that a tool hears everything and the exit code is ours.
        await Task.Run(() => RunAsync(stoppingToken), stoppingToken);
        if (string.IsNullOrEmpty(configuration["ASPIRE_BACKCHANNEL_PATH"]))
        {
            lifetime.StopApplication();
        }
    }

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        var name = configuration["Pipeline:Step"] ?? (configuration["Publishing:Publisher"] == "manifest" ? "publish-manifest" : "publish");
        var step = steps.FirstOrDefault(s => s.Name == name);
        Report(PublishingActivityType.Step, CompletionState.InProgress, step?.Description ?? name, null);
        try
        {
            if (step is null)
            {
                throw new DistributedApplicationException($"--step '{name}' is unknown. Available steps: {string.Join(", ", steps.Select(s => s.Name))}.");
            }
            Report(PublishingActivityType.Task, CompletionState.InProgress, step.Description, null);
            var written = await step.RunAsync(configuration["Pipeline:OutputPath"], cancellationToken);
            Report(PublishingActivityType.Task, CompletionState.Completed, step.Description, written);
            Report(PublishingActivityType.Step, CompletionState.Completed, step.Description, written);
            Report(PublishingActivityType.PublishComplete, CompletionState.Completed, $"Published: {written}", null);
        }
#pragma warning disable CA1031 // Whatever went wrong is told and makes the exit code.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Environment.ExitCode = 1;
            var reason = configuration.GetValue("Pipeline:IncludeExceptionDetails", defaultValue: false) ? error.ToString() : error.Message;
            if (step is not null)
            {
                Report(PublishingActivityType.Task, CompletionState.CompletedWithError, step.Description, reason);
            }
            Report(PublishingActivityType.Step, CompletionState.CompletedWithError, step?.Description ?? name, reason);
            Report(PublishingActivityType.PublishComplete, CompletionState.CompletedWithError, reason, null);
        }
    }

    private void Report(PublishingActivityType type, CompletionState state, string text, string? message)
    {
        reporter.Report(new(type, type.ToString(), text, state, type == PublishingActivityType.Task ? nameof(PublishingActivityType.Step) : null, message));
        if (!options.Quiet && (type == PublishingActivityType.PublishComplete || state == CompletionState.InProgress && type == PublishingActivityType.Step))
        {
            (state == CompletionState.CompletedWithError ? Console.Error : Console.Out).WriteLine(state == CompletionState.CompletedWithError ? $"error: {text}" : text);
        }
    }
}

internal static class PublishServices
{
    internal static IServiceCollection AddPublishing(this IServiceCollection services) => services
        .AddSingleton<IPublishStep>(s => ActivatorUtilities.CreateInstance<ManifestStep>(s, "publish"))
        .AddSingleton<IPublishStep>(s => ActivatorUtilities.CreateInstance<ManifestStep>(s, "publish-manifest"))
        .AddHostedService<PublishRunner>();
}
