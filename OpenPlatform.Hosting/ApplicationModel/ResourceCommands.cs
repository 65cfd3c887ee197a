using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

public sealed class ExecuteCommandContext
{
    public required IServiceProvider ServiceProvider { get; init; }
    /// <summary>The resource id: of one instance when the resource has several.</summary>
    public required string ResourceName { get; init; }
    public required ILogger Logger { get; init; }
    public required CancellationToken CancellationToken { get; init; }
}

public sealed class ExecuteCommandResult
{
    public required bool Success { get; init; }
    public bool Canceled { get; init; }
    public string? ErrorMessage { get; init; }
    public string? Message { get; init; }
}

public static class CommandResults
{
    public static ExecuteCommandResult Success() => new() { Success = true };
    public static ExecuteCommandResult Success(string message) => new() { Success = true, Message = message };
    public static ExecuteCommandResult Failure(string? errorMessage = null) => new() { Success = false, ErrorMessage = errorMessage, Message = errorMessage };
    public static ExecuteCommandResult Failure(Exception exception) => Failure(exception.Message);
    public static ExecuteCommandResult Canceled() => new() { Success = false, Canceled = true };
}

public sealed class UpdateCommandStateContext
{
    public required CustomResourceSnapshot ResourceSnapshot { get; init; }
    public required IServiceProvider ServiceProvider { get; init; }
}

public class CommandOptions
{
    public string? Description { get; set; }
    public object? Parameter { get; set; }
    public string? ConfirmationMessage { get; set; }
    public string? IconName { get; set; }
    public IconVariant? IconVariant { get; set; }
    public bool IsHighlighted { get; set; }
    public Func<UpdateCommandStateContext, ResourceCommandState>? UpdateState { get; set; }
}

/// <summary>Something a person may do with a resource, in the dashboard or by <see cref="ResourceCommandService"/>.</summary>
public sealed class ResourceCommandAnnotation(string name, string displayName, Func<UpdateCommandStateContext, ResourceCommandState> updateState,
    Func<ExecuteCommandContext, Task<ExecuteCommandResult>> executeCommand, string? displayDescription, object? parameter, string? confirmationMessage,
    string? iconName, IconVariant? iconVariant, bool isHighlighted) : IResourceAnnotation
{
    public string Name { get; } = name;
    public string DisplayName { get; } = displayName;
    public Func<UpdateCommandStateContext, ResourceCommandState> UpdateState { get; } = updateState;
    public Func<ExecuteCommandContext, Task<ExecuteCommandResult>> ExecuteCommand { get; } = executeCommand;
    public string? DisplayDescription { get; } = displayDescription;
    public object? Parameter { get; } = parameter;
    public string? ConfirmationMessage { get; } = confirmationMessage;
    public string? IconName { get; } = iconName;
    public IconVariant? IconVariant { get; } = iconVariant;
    public bool IsHighlighted { get; } = isHighlighted;
}

public static class KnownResourceCommands
{
    public static readonly string StartCommand = "start";
    public static readonly string StopCommand = "stop";
    public static readonly string RestartCommand = "restart";
}

/// <summary>Runs the commands of resources.</summary>
public class ResourceCommandService
{
    private readonly ResourceNotificationService _notifications;
    private readonly ResourceLoggerService _loggers;
    private readonly IServiceProvider _services;

    internal ResourceCommandService(ResourceNotificationService notifications, ResourceLoggerService loggers, IServiceProvider services) =>
        (_notifications, _loggers, _services) = (notifications, loggers, services);

    /// <param name="resourceId">A resource id, or the name of a resource (then all its instances).</param>
    public Task<ExecuteCommandResult> ExecuteCommandAsync(string resourceId, string commandName, CancellationToken cancellationToken = default)
    {
        if (_notifications.TryGetCurrentState(resourceId, out var current))
        {
            return ExecuteAsync(current.Resource, current.ResourceId, commandName, cancellationToken);
        }
        return _services.GetRequiredService<DistributedApplicationModel>().Resources.TryGetByName(resourceId, out var resource)
            ? ExecuteCommandAsync(resource, commandName, cancellationToken)
            : Task.FromResult(CommandResults.Failure($"There is no resource '{resourceId}'."));
    }

    public async Task<ExecuteCommandResult> ExecuteCommandAsync(IResource resource, string commandName, CancellationToken cancellationToken = default)
    {
        var results = await Task.WhenAll(resource.ResourceIds().Select(id => ExecuteAsync(resource, id, commandName, cancellationToken)));
        var failures = results.Where(r => !r.Success && !r.Canceled).ToArray();
        return failures.Length > 0 ? CommandResults.Failure(string.Join(" ", failures.Select(f => f.ErrorMessage)))
            : results.FirstOrDefault(r => r.Canceled) ?? results.FirstOrDefault() ?? CommandResults.Failure($"Resource '{resource.Name}' has no instance.");
    }

    private async Task<ExecuteCommandResult> ExecuteAsync(IResource resource, string resourceId, string commandName, CancellationToken cancellationToken)
    {
        var command = resource.Annotations.OfType<ResourceCommandAnnotation>().LastOrDefault(a => a.Name == commandName);
        if (command is null)
        {
            return CommandResults.Failure($"Resource '{resource.Name}' has no command '{commandName}'.");
        }
        var logger = _loggers.GetLogger(resourceId);
        try
        {
            var result = await command.ExecuteCommand(new() { ServiceProvider = _services, ResourceName = resourceId, Logger = logger, CancellationToken = cancellationToken });
            if (!result.Success && !result.Canceled)
            {
                CommandLog.Failed(logger, commandName, result.ErrorMessage);
            }
            return result;
        }
        catch (OperationCanceledException)
        {
            return CommandResults.Canceled();
        }
#pragma warning disable CA1031 // A command is foreign code: whatever it throws is its answer.
        catch (Exception error)
#pragma warning restore CA1031
        {
            CommandLog.Threw(logger, commandName, error);
            return CommandResults.Failure(error);
        }
    }
}

internal static partial class CommandLog
{
    [LoggerMessage(Level = LogLevel.Error, Message = "Command '{Command}' failed: {Reason}")]
    internal static partial void Failed(ILogger logger, string command, string? reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Command '{Command}' failed")]
    internal static partial void Threw(ILogger logger, string command, Exception error);
}
