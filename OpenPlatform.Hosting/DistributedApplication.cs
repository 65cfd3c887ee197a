using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.Hosting;

namespace Aspire.Hosting;

/// <summary>An application that can be started, as the builder described it.</summary>
public class DistributedApplication : IHost, IAsyncDisposable
{
    private readonly IHost _host;
    private readonly EntryPointInterceptor? _interceptor;

    public DistributedApplication(IHost host) : this(host, interceptor: null) { }

    internal DistributedApplication(IHost host, EntryPointInterceptor? interceptor)
    {
        ArgumentNullException.ThrowIfNull(host);
        (_host, _interceptor) = (host, interceptor);
    }

    public static IDistributedApplicationBuilder CreateBuilder() => CreateBuilder([]);
    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => CreateBuilder(new DistributedApplicationOptions { Args = args });
    public static IDistributedApplicationBuilder CreateBuilder(DistributedApplicationOptions options) => new DistributedApplicationBuilder(options);

    public IServiceProvider Services => _host.Services;
    public ResourceNotificationService ResourceNotifications => Services.GetRequiredService<ResourceNotificationService>();
    public ResourceCommandService ResourceCommands => Services.GetRequiredService<ResourceCommandService>();

    public virtual async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (IsInterceptedHere)
        {
            await _interceptor!.WaitForStartAsync(cancellationToken);
            return;
        }
        var eventing = Services.GetRequiredService<IDistributedApplicationEventing>();
        var context = Services.GetRequiredService<DistributedApplicationExecutionContext>();
        foreach (var subscriber in Services.GetServices<IDistributedApplicationEventingSubscriber>())
        {
            await subscriber.SubscribeAsync(eventing, context, cancellationToken);
        }
        await eventing.PublishAsync(new BeforeStartEvent(Services, Services.GetRequiredService<DistributedApplicationModel>()), cancellationToken);
        await _host.StartAsync(cancellationToken);
    }

    public virtual Task StopAsync(CancellationToken cancellationToken = default) => IsInterceptedHere ? Task.CompletedTask : _host.StopAsync(cancellationToken);

    public virtual async Task RunAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await StartAsync(cancellationToken);
            await this.WaitForShutdownAsync(cancellationToken);
        }
        finally
        {
            if (!IsInterceptedHere)
            {
                await DisposeAsync();
            }
        }
    }

    public void Run() => RunAsync().GetAwaiter().GetResult();

    public virtual void Dispose()
    {
        if (!IsInterceptedHere)
        {
            _host.Dispose();
        }
        GC.SuppressFinalize(this);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (IsInterceptedHere)
        {
            return;
        }
        if (_host is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
        else
        {
            _host.Dispose();
        }
    }

    Task IHost.StartAsync(CancellationToken cancellationToken) => StartAsync(cancellationToken);
    Task IHost.StopAsync(CancellationToken cancellationToken) => StopAsync(cancellationToken);

    /// <summary>True in the flow of an entry point that a test runs: the test owns start, stop and disposal.</summary>
    private bool IsInterceptedHere => _interceptor is not null && EntryPointInterceptor.Current == _interceptor;
}
