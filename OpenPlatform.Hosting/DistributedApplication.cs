using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Publishing;

namespace Aspire.Hosting;

/// <summary>An application that can be started, as the builder described it.</summary>
public class DistributedApplication : IHost, IAsyncDisposable
{
    private readonly IHost _host;
    private readonly EntryPointInterceptor? _interceptor;
    private bool _starting;
    private bool _stopped;

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
        var model = Services.GetRequiredService<DistributedApplicationModel>();
        await eventing.PublishAsync(new BeforeStartEvent(Services, model), cancellationToken);
        if (context.IsRunMode)
        {
            ModelValidation.Check(model);
        }
        _starting = true;
        await _host.StartAsync(cancellationToken);
        _interceptor?.Started();
    }

    public virtual async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_starting && !_stopped && !IsInterceptedHere)
        {
            await _host.StopAsync(cancellationToken);
            _stopped = true;
        }
    }

    public virtual async Task RunAsync(CancellationToken cancellationToken = default)
    {
        if (Services.GetService<HostingOptions>() is { Help: true, ApplicationName: var name })
        {
            Console.WriteLine(CommandHelp.Text(name, Services.GetRequiredService<DistributedApplicationModel>(), Services.GetServices<IPublishStep>()));
            return;
        }
        try
        {
            await StartAsync(cancellationToken);
            await this.WaitForShutdownAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested && Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested)
        {
            // Ctrl-C before everything had started: an end like any other.
        }
        finally
        {
            if (!IsInterceptedHere)
            {
                await DisposeAsync();
            }
        }
    }

    public void Run()
    {
        try
        {
            RunAsync().GetAwaiter().GetResult();
        }
        catch (DistributedApplicationException error) when (!IsInterceptedHere)
        {
            // The message says what to do; where in our code it came up does not help.
            Console.Error.WriteLine($"error: {error.Message}");
            Environment.ExitCode = 1;
        }
    }

    public virtual void Dispose()
    {
        DisposeAsync().AsTask().GetAwaiter().GetResult();
        GC.SuppressFinalize(this);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (IsInterceptedHere)
        {
            return;
        }
        // Also after a start that failed half-way: what it did start must not stay.
        await StopAsync();
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
