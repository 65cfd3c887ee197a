using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.PrivatePort;

/// <summary>
/// A server of its own beside the public one, so that no route, host or header of the public port leads here. It starts before everything else
/// and stops after it: probes are answered from the first moment to the last.
/// </summary>
internal sealed partial class PrivatePortHost(IServiceProvider services, IConfiguration configuration, IOptions<PrivatePortOptions> options, ILogger<PrivatePortHost> logger)
    : IHostedLifecycleService, IAsyncDisposable
{
    private WebApplication? _app;

    /// <summary>Where it listens; null: nowhere.</summary>
    public Uri? Address { get; private set; }

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Url.Length == 0)
        {
            return;
        }

        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseUrls(options.Value.Url);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(new ActivitySource("Private")); // nobody listens: operators' requests are no traffic
        var app = _app = builder.Build();
        if (!options.Value.IsLoopback)
        {
            app.Use(RequireToken(Encoding.UTF8.GetBytes(configuration["OpenPlatform:ServiceToken"]!)));
        }

        app.UseRouting();
        var endpoints = app.MapGroup("").DisableHttpMetrics();
        ProbeEndpoints.Map(endpoints, services);
        StateEndpoints.Map(endpoints, services);
        ExplainEndpoints.Map(endpoints, services);
        DrainEndpoints.Map(endpoints, services);
        await app.StartAsync(cancellationToken);
        Address = new(app.Urls.First());
        LogListening(Address);
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => _app?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask DisposeAsync() => _app?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static Func<RequestDelegate, RequestDelegate> RequireToken(byte[] token) => next => context =>
    {
        var presented = context.Request.Headers.Authorization.ToString();
        if (ProbeEndpoints.IsProbe(context.Request.Path)
            || (presented.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(presented[7..].Trim()), token)))
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Task.CompletedTask;
    };

    [LoggerMessage(LogLevel.Information, "Private port: {Address}")]
    private partial void LogListening(Uri address);
}

internal static class PrivatePortServices
{
    public static void AddPrivatePort(this IServiceCollection services)
    {
        services.AddOptionsWithValidateOnStart<PrivatePortOptions, PrivatePortOptionsValidator>().BindConfiguration(PrivatePortOptions.Section);
        services.AddSingleton<PrivatePortHost>().AddHostedService(static provider => provider.GetRequiredService<PrivatePortHost>());
    }
}
