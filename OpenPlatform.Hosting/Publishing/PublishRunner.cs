using Aspire.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.Hosting.Publishing;

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
        var publisher = configuration["Publishing:Publisher"];
        var name = configuration["Pipeline:Step"] ?? (publisher == "manifest" ? "publish-manifest" : "publish");
        var step = steps.FirstOrDefault(s => s.Name == name);
        var description = step?.Description ?? name;
        Report(PublishingActivityType.Step, nameof(PublishingActivityType.Step), CompletionState.InProgress, description);
        PublishTask? current = null;
        try
        {
            if (step is null)
            {
                throw new DistributedApplicationException($"--step '{name}' is unknown. Available steps: {string.Join(", ", steps.Select(s => s.Name))}.");
            }

            if (configuration["Pipeline:Step"] is null && publisher is not (null or "" or "manifest" or "default"))
            {
                throw new DistributedApplicationException($"--publisher '{publisher}' is unknown. There is 'manifest'; without it every environment is published.");
            }

            var written = new List<string>();
            foreach (var task in step.Tasks(configuration["Pipeline:OutputPath"]))
            {
                current = task;
                Report(PublishingActivityType.Task, task.Id, CompletionState.InProgress, task.Description);
                written.Add(await task.RunAsync(cancellationToken));
                Report(PublishingActivityType.Task, task.Id, CompletionState.Completed, task.Description, written[^1]);
            }
            var all = string.Join(", ", written);
            Report(PublishingActivityType.Step, nameof(PublishingActivityType.Step), CompletionState.Completed, description, all);
            Report(PublishingActivityType.PublishComplete, nameof(PublishingActivityType.PublishComplete), CompletionState.Completed, $"Published: {all}");
        }
#pragma warning disable CA1031 // Whatever went wrong is told and makes the exit code.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Environment.ExitCode = 1;
            var reason = configuration.GetValue("Pipeline:IncludeExceptionDetails", defaultValue: false) ? error.ToString() : error.Message;
            if (current is not null)
            {
                Report(PublishingActivityType.Task, current.Id, CompletionState.CompletedWithError, current.Description, reason);
            }
            Report(PublishingActivityType.Step, nameof(PublishingActivityType.Step), CompletionState.CompletedWithError, description, reason);
            Report(PublishingActivityType.PublishComplete, nameof(PublishingActivityType.PublishComplete), CompletionState.CompletedWithError, reason);
        }
    }

    private void Report(PublishingActivityType type, string id, CompletionState state, string text, string? message = null)
    {
        reporter.Report(new(type, id, text, state, type == PublishingActivityType.Task ? nameof(PublishingActivityType.Step) : null, message));
        if (!options.Quiet && (type == PublishingActivityType.PublishComplete || state == CompletionState.InProgress))
        {
            (state == CompletionState.CompletedWithError ? Console.Error : Console.Out).WriteLine(
                state == CompletionState.CompletedWithError ? $"error: {text}" : type == PublishingActivityType.Task ? $"  {text}" : text);
        }
    }
}

internal static class PublishServices
{
    internal static IServiceCollection AddPublishing(this IServiceCollection services) => services
        .AddSingleton<IPublishStep>(s => ActivatorUtilities.CreateInstance<EnvironmentsStep>(s))
        .AddSingleton<IPublishStep>(s => ActivatorUtilities.CreateInstance<ManifestStep>(s, "publish-manifest"))
        .AddSingleton<IPublishStep>(s => ActivatorUtilities.CreateInstance<ImagesStep>(s, ImagesStep.Build))
        .AddSingleton<IPublishStep>(s => ActivatorUtilities.CreateInstance<ImagesStep>(s, ImagesStep.Push))
        .AddSingleton<IParameterQuestions, ConsoleQuestions>()
        .AddHostedService<PublishRunner>();
}
