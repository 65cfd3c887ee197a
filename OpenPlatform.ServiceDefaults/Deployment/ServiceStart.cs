using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace OpenPlatform.ServiceDefaults.Deployment;

/// <summary>
/// How a service ends that cannot start as it is set up: with a line for each problem on standard error and exit code 1. Where in the code it was
/// noticed helps nobody who sets up a service; what is no question of settings keeps its stack trace.
/// </summary>
public static class ServiceStart
{
    private const string WatchSettings = "DOTNET_hostBuilder__reloadConfigOnChange";

    private static bool _hasStarted;

    /// <summary>The first line of a service's program.</summary>
    /// <param name="program">The assembly of that program: a host that carries more (a test) keeps its own ways.</param>
    public static void Prepare(Assembly program)
    {
        if (Assembly.GetEntryAssembly() != program)
        {
            return;
        }

        AppDomain.CurrentDomain.UnhandledException += static (_, unhandled) =>
        {
            if (!Volatile.Read(ref _hasStarted) && StartProblems.Of((Exception)unhandled.ExceptionObject) is { } problems)
            {
                foreach (var problem in problems)
                {
                    Console.Error.WriteLine($"error: {problem}");
                }

                Environment.Exit(1); // before the runtime prints where it happened
            }
        };
        ReadSettingsOnceUnlessTheyCanBeWatched();
    }

    /// <summary>The last line of a service's program: from the start to the end.</summary>
    public static async Task RunServiceAsync(this WebApplication app)
    {
        // Before anything is made of the settings: who corrects them wants to hear of all that are wrong.
        app.Services.GetService<IStartupValidator>()?.Validate();
        await using (app)
        {
            try
            {
                await app.StartAsync();
            }
            catch
            {
                // What has begun is ended in order, or it is logged as failed; but nobody is served yet who would be worth a long wait.
                using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(2));
                await app.StopAsync(soon.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw;
            }

            await app.WaitForShutdownAsync();
        }
    }

    /// <summary>The host logs what ends a start, with its stack trace, and throws it as well: it is told once, at the end.</summary>
    internal static void AddServiceStart(this IHostApplicationBuilder builder)
    {
        var started = new Started();
        builder.Services.AddHostedService(_ => started);
        builder.Logging.AddFilter<ConsoleLoggerProvider>("Microsoft.Extensions.Hosting.Internal.Host", level =>
            level >= LogLevel.Information && (started.IsTrue || level != LogLevel.Error));
    }

    /// <summary>A host that may not watch its settings files fails; where many containers share a user, watches (inotify instances) run out.</summary>
    private static void ReadSettingsOnceUnlessTheyCanBeWatched()
    {
        if (Environment.GetEnvironmentVariable(WatchSettings) is not null)
        {
            return;
        }

        try
        {
            using var watcher = new FileSystemWatcher(AppContext.BaseDirectory) { EnableRaisingEvents = true };
        }
        catch (IOException e)
        {
            Console.Error.WriteLine($"warning: Settings files are not watched for changes: {e.Message} On Linux, raise fs.inotify.max_user_instances (sysctl).");
            Environment.SetEnvironmentVariable(WatchSettings, "false");
        }
    }

    private sealed class Started : IHostedLifecycleService
    {
        public bool IsTrue { get; private set; }

        public Task StartedAsync(CancellationToken cancellationToken)
        {
            IsTrue = true;
            Volatile.Write(ref _hasStarted, true);
            return Task.CompletedTask;
        }

        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
