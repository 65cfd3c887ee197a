using System.Net;
using Aspire.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Hosting.Dashboard;

/// <summary>Serves the resource service on a loopback port. HTTP/2 without TLS: the caller is a process this AppHost starts, on this machine, with a key.</summary>
internal sealed class ResourceServiceHost(DashboardSettings settings, ResourceService service, ILoggerFactory loggerFactory) : IAsyncDisposable
{
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(2);
    // Not the stopping of the application: while it stops the dashboard shows how the resources go, and then goes itself.
    private readonly CancellationTokenSource _stop = new();
    private WebApplication? _application;

    /// <returns>Where the dashboard finds it.</returns>
    internal async Task<Uri> StartAsync(CancellationToken cancellationToken)
    {
        // The empty builder reads neither the AppHost's arguments nor its ASPNETCORE_URLS, which are the dashboard's.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggerFactory);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, settings.ResourceServicePort, listen => listen.Protocols = HttpProtocols.Http2);
        });
        _application = builder.Build();
        _application.Run(http => service.HandleAsync(http, _stop.Token));
        try
        {
            await _application.StartAsync(cancellationToken);
        }
        catch (IOException error)
        {
            throw new DistributedApplicationException(
                $"The resource service of the dashboard cannot listen on port {settings.ResourceServicePort}: {Ports.DescribeHolder(settings.ResourceServicePort)} has it. " +
                "Change or remove ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL.", error);
        }
        return new(_application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_application is { } application)
        {
            using var limit = new CancellationTokenSource(StopLimit);
            await application.StopAsync(limit.Token);
            await application.DisposeAsync();
        }
        _stop.Dispose();
    }
}
