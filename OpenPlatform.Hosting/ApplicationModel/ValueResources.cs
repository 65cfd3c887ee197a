using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Logging;

namespace OpenPlatform.Hosting;

/// <summary>Gives resources that only are a value (parameters, external services, connection strings) their state.</summary>
internal sealed partial class ValueResources(ResourceNotificationService notifications, ResourceLoggerService loggers, DistributedApplicationModel model) : IDistributedApplicationEventingSubscriber
{
    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        if (executionContext.IsRunMode)
        {
            eventing.Subscribe<BeforeStartEvent>(async (_, _) =>
            {
                foreach (var parameter in model.Resources.OfType<ParameterResource>())
                {
                    await ShowAsync(parameter);
                }
            });
            eventing.Subscribe<InitializeResourceEvent>((e, ct) => e.Resource switch
            {
                ExternalServiceResource service => StartAsync(service, e, ct),
                ConnectionStringResource connection => StartAsync(connection, e, ct),
                _ => Task.CompletedTask,
            });
        }
        return Task.CompletedTask;
    }

    /// <summary>A person gave the missing value.</summary>
    internal Task SetAsync(ParameterResource parameter, string value)
    {
        parameter.Missing?.TrySetResult(value);
        return ShowAsync(parameter, value);
    }

    private async Task ShowAsync(ParameterResource parameter)
    {
        try
        {
            if (parameter.TryGetValue(out var value, out var reason))
            {
                await ShowAsync(parameter, value);
                return;
            }
            parameter.Missing = new(TaskCreationOptions.RunContinuationsAsynchronously);
            await ShowAsync(parameter, new ResourceStateSnapshot(KnownResourceStates.ValueMissing, KnownResourceStateStyles.Warn), reason);
            ValueMissing(loggers.GetLogger(parameter), reason);
        }
#pragma warning disable CA1031 // A value getter is foreign code; the other resources start all the same.
        catch (Exception error)
#pragma warning restore CA1031
        {
            await ShowAsync(parameter, new ResourceStateSnapshot(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error), error.Message);
            ValueFailed(loggers.GetLogger(parameter), error);
        }
    }

    private Task ShowAsync(ParameterResource parameter, string value) => notifications.PublishUpdateAsync(parameter, s => s with
    {
        State = KnownResourceStates.Running,
        Properties = s.Properties.Set(KnownProperties.ParameterValue, value, parameter.Secret).Set(KnownProperties.StateReason, value: null),
    });

    private static async Task StartAsync(ExternalServiceResource service, InitializeResourceEvent e, CancellationToken cancellationToken)
    {
        try
        {
            var uri = service.Uri ?? ExternalServiceResource.Parse(service, await service.UrlParameter!.GetValueAsync(cancellationToken));
            await e.Eventing.PublishAsync(new BeforeResourceStartedEvent(service, e.Services), cancellationToken);
            await e.Notifications.PublishUpdateAsync(service, s => s with
            {
                State = KnownResourceStates.Running,
                Properties = s.Properties.Set(KnownProperties.Source, uri.Host),
                Urls = [new(Name: null, uri.ToString(), IsInternal: false)],
            });
        }
        catch (Exception error) when (error is DistributedApplicationException or ArgumentException)
        {
            await FailAsync(service, e, error);
        }
    }

    private static async Task StartAsync(ConnectionStringResource connection, InitializeResourceEvent e, CancellationToken cancellationToken)
    {
        try
        {
            // Waits until the endpoints that it is made of have addresses.
            var value = await ((IResourceWithConnectionString)connection).GetConnectionStringAsync(cancellationToken);
            await e.Eventing.PublishAsync(new ConnectionStringAvailableEvent(connection, e.Services), cancellationToken);
            await e.Notifications.WaitForDependenciesAsync(connection, cancellationToken);
            await e.Notifications.PublishUpdateAsync(connection, s => s with
            {
                State = KnownResourceStates.Running,
                Properties = s.Properties.Set(KnownProperties.ConnectionString, value, sensitive: true),
            });
        }
        catch (Exception error) when (error is DistributedApplicationException or InvalidOperationException)
        {
            await FailAsync(connection, e, error);
        }
    }

    private static Task FailAsync(IResource resource, InitializeResourceEvent e, Exception error)
    {
        ValueFailed(e.Logger, error);
        return e.Notifications.PublishUpdateAsync(resource, s => s with
        {
            State = new ResourceStateSnapshot(KnownResourceStates.FailedToStart, KnownResourceStateStyles.Error),
            Properties = s.Properties.Set(KnownProperties.StateReason, error.Message),
        });
    }

    private Task ShowAsync(ParameterResource parameter, ResourceStateSnapshot state, string reason) =>
        notifications.PublishUpdateAsync(parameter, s => s with { State = state, Properties = s.Properties.Set(KnownProperties.StateReason, reason) });

    [LoggerMessage(Level = LogLevel.Error, Message = "{Reason}")]
    private static partial void ValueMissing(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The value cannot be found out")]
    private static partial void ValueFailed(ILogger logger, Exception error);
}
