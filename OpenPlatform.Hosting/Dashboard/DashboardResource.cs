using System.Net.Sockets;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace OpenPlatform.Hosting.Dashboard;

/// <summary>Adds the dashboard to the model, first in line, as an executable that the dashboard itself does not list.</summary>
internal sealed class DashboardResource(
    IEngine engine,
    DashboardSettings settings,
    ResourceServiceHost resourceService,
    ResourceLoggerService resourceLoggers,
    ILogger<DistributedApplication> logger,
    ILoggerFactory loggerFactory,
    IHostApplicationLifetime lifetime,
    SessionFolder folder,
    TimeProvider time,
    IHostEnvironment environment) : IDistributedApplicationEventingSubscriber
{
    internal const string Name = "aspire-dashboard";
    internal const string OtlpGrpcEndpoint = "otlp-grpc", OtlpHttpEndpoint = "otlp-http";

    public Task SubscribeAsync(IDistributedApplicationEventing eventing, DistributedApplicationExecutionContext executionContext, CancellationToken cancellationToken)
    {
        eventing.Subscribe<BeforeStartEvent>(async (started, token) => await AddAsync(started.Model, eventing, token));
        return Task.CompletedTask;
    }

    private async Task AddAsync(DistributedApplicationModel model, IDistributedApplicationEventing eventing, CancellationToken cancellationToken)
    {
        settings.CheckPorts();
        (string Path, string Password)? certificate = settings.HttpsAddress is { } https ? DevelopmentCertificate.Export(folder.Path, https.Url, time.GetUtcNow()) : null;
        var file = (await engine.LocateAsync(cancellationToken)).DashboardPath;
        var service = await resourceService.StartAsync(cancellationToken);

        var dashboard = new ExecutableResource(Name, file, Path.GetDirectoryName(file)!);
        dashboard.Annotations.Add(new CommandLineArgsCallbackAnnotation(args => args.Add("dashboard")));
        dashboard.Annotations.Add(new EnvironmentCallbackAnnotation(variables => SetEnvironment(variables, service, certificate)));
        foreach (var address in settings.Frontend.DistinctBy(a => a.Scheme))
        {
            dashboard.Annotations.Add(Endpoint(address.Scheme, address));
        }
        dashboard.Annotations.Add(Endpoint(OtlpGrpcEndpoint, settings.OtlpGrpc, "http2"));
        dashboard.Annotations.Add(Endpoint(OtlpHttpEndpoint, settings.OtlpHttp));
        dashboard.Annotations.Add(new HealthCheckAnnotation(DashboardHealthCheck.Key));
        dashboard.Annotations.Add(new ResourceIconAnnotation("ContentView"));
        if (!settings.ShowResource)
        {
            dashboard.Annotations.Add(new HiddenAnnotation());
        }
        model.Resources.Insert(0, dashboard);

        eventing.Subscribe<ResourceReadyEvent>(dashboard, (_, _) =>
        {
            DashboardLog.Listening(logger, settings.Main.Url);
            if (settings.BrowserToken is not null)
            {
                DashboardLog.Login(logger, settings.LoginUrl);
            }
            return Task.CompletedTask;
        });
        eventing.Subscribe<BeforeResourceStartedEvent>(dashboard, (_, _) =>
        {
            // Ends with the application.
            _ = Task.Run(() => ForwardWarningsAsync(dashboard, lifetime.ApplicationStopping), CancellationToken.None);
            return Task.CompletedTask;
        });
    }

    private static EndpointAnnotation Endpoint(string name, DashboardAddress address, string? transport = null) =>
        new(ProtocolType.Tcp, address.Scheme, transport, name, address.Port, address.Port, isProxied: false) { TargetHost = address.Host };

    private void SetEnvironment(Dictionary<string, object> variables, Uri service, (string Path, string Password)? certificate)
    {
        foreach (var (name, value) in settings.PassedOn)
        {
            variables[name] = value;
        }
        variables["ASPNETCORE_ENVIRONMENT"] = environment.EnvironmentName;
        variables["ASPNETCORE_URLS"] = string.Join(';', settings.Frontend.Select(a => a.Listen));
        variables["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = settings.OtlpGrpc.Listen;
        variables["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] = settings.OtlpHttp.Listen;
        variables["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = service.GetLeftPart(UriPartial.Authority);
        SetKey("RESOURCESERVICECLIENT", "ApiKey", "APIKEY", settings.ResourceServiceKey);
        SetKey("FRONTEND", "BrowserToken", "BROWSERTOKEN", settings.BrowserToken);
        SetKey("OTLP", "ApiKey", "PRIMARYAPIKEY", settings.OtlpKey);
        SetKey("API", "ApiKey", "PRIMARYAPIKEY", settings.ApiKey);
        if (certificate is { } tls)
        {
            variables["Kestrel__Certificates__Default__Path"] = tls.Path;
            variables["Kestrel__Certificates__Default__Password"] = tls.Password;
        }
        variables["LOGGING__CONSOLE__FORMATTERNAME"] = "json";

        void SetKey(string part, string mode, string name, string? key)
        {
            variables[$"DASHBOARD__{part}__AUTHMODE"] = key is null ? "Unsecured" : mode;
            if (key is not null)
            {
                variables[$"DASHBOARD__{part}__{name}"] = key;
            }
        }
    }

    /// <summary>Nobody can read the log of a dashboard that does not work in the dashboard.</summary>
    private async Task ForwardWarningsAsync(IResource dashboard, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var batch in resourceLoggers.WatchAsync(dashboard).WithCancellation(cancellationToken))
            {
                foreach (var line in batch)
                {
                    if (Parse(line.Content) is { } entry && entry.Level >= LogLevel.Warning)
                    {
                        DashboardLog.Forwarded(loggerFactory.CreateLogger($"Aspire.Dashboard.{entry.Category}"), entry.Level, entry.Message);
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The application ends.
        }
    }

    private static (LogLevel Level, string Category, string Message)? Parse(string line)
    {
        var json = line.IndexOf('{', StringComparison.Ordinal);
        if (json < 0)
        {
            return null;
        }
        try
        {
            using var entry = JsonDocument.Parse(line.AsMemory(json));
            return Enum.TryParse<LogLevel>(entry.RootElement.GetProperty("LogLevel").GetString(), out var level)
                ? (level, entry.RootElement.GetProperty("Category").GetString() ?? "", entry.RootElement.GetProperty("Message").GetString() ?? "")
                : null;
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return null;
        }
    }
}

/// <summary>Does the dashboard answer?</summary>
internal sealed class DashboardHealthCheck(DashboardSettings settings) : IHealthCheck, IDisposable
{
    internal const string Key = "aspire-dashboard_check";

    // It is our own process on our own machine: whether its certificate is trusted is for the browser to say.
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        SslOptions = { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null },
    })
    { Timeout = TimeSpan.FromSeconds(5) };

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(settings.Main.Url + "/health"), cancellationToken);
            return answer.IsSuccessStatusCode ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"{settings.Main.Url}/health answered {(int)answer.StatusCode}.");
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"{settings.Main.Url} does not answer.", error);
        }
    }

    public void Dispose() => _http.Dispose();
}
