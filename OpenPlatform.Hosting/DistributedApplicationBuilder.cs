using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Publishing;

namespace Aspire.Hosting;

public class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    private readonly HostApplicationBuilder _host;
    private readonly DistributedApplicationExecutionContextOptions _executionOptions;
    private readonly EntryPointInterceptor? _interceptor = EntryPointInterceptor.Current;
    private bool _built;

    public DistributedApplicationBuilder(string[] args) : this(new DistributedApplicationOptions { Args = args }) { }

    public DistributedApplicationBuilder(DistributedApplicationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var settings = new HostApplicationBuilderSettings { Configuration = new() };

        // Its settings files are read once: the model is made of them once. A watch is one of the few that a user has (inotify instances), and a host without one fails.
        settings.Configuration.AddInMemoryCollection([new("hostBuilder:reloadConfigOnChange", "false")]);
        _interceptor?.Constructing(options, settings);

        AppHostAssembly = options.AssemblyName is { } name ? Assembly.Load(name) : Assembly.GetEntryAssembly();
        AppHostDirectory = options.ProjectDirectory ?? Metadata("apphostprojectpath") ?? AppContext.BaseDirectory;
        AppHostPath = Path.Join(AppHostDirectory, Metadata("apphostprojectname") ?? AppHostAssembly?.GetName().Name);

        // The host reads its own settings from the configuration, which then needs the switches by their configuration names.
        settings.Args = CommandLineSwitches.Map(CommandHelp.Without(options.Args ?? []));
        settings.ApplicationName ??= AppHostAssembly?.GetName().Name;
        settings.ContentRootPath ??= AppHostDirectory;
        _host = new(settings);
        if (!_host.Environment.IsDevelopment() && AppHostAssembly is not null)
        {
            // Generated parameters are kept in the user secrets; a run outside Development finds them too. Everything else overrides them.
            var secrets = new ConfigurationBuilder().AddUserSecrets(AppHostAssembly, optional: true).Build();
            // Without any source in it (no UserSecretsId) it would refuse every value that the application sets.
            if (secrets.Providers.Any())
            {
                Configuration.Sources.Insert(0, new ChainedConfigurationSource { Configuration = secrets, ShouldDisposeConfiguration = true });
            }
        }

        var publisher = Configuration["Publishing:Publisher"];
        // Help tells of the environments, which a run does not have.
        var help = CommandHelp.IsAsked(options.Args ?? []);
        var operation = help ? "publish" : Configuration["AppHost:Operation"] ?? (publisher is null ? "run" : "publish");
        _executionOptions = operation.ToLowerInvariant() switch
        {
            _ when publisher is not null => new(DistributedApplicationOperation.Publish, publisher),
            "run" => new(DistributedApplicationOperation.Run),
            "publish" => new(DistributedApplicationOperation.Publish, "manifest"),
            _ => throw new DistributedApplicationException($"--operation '{operation}' is unknown; use 'run' or 'publish'."),
        };
        ExecutionContext = new(_executionOptions);

        Options = new HostingOptions
        {
            RandomizePorts = Configuration.GetValue("DcpPublisher:RandomizePorts", defaultValue: false),
            DashboardEnabled = ExecutionContext.IsRunMode && !options.DisableDashboard,
            Help = help,
            TemporaryData = string.Equals(Configuration["OPENPLATFORM_DATA"], "temporary", StringComparison.OrdinalIgnoreCase),
            ApplicationId = Sha256(AppHostPath)[..16],
            ApplicationName = options.DashboardApplicationName ?? AppHostAssembly?.GetName().Name?.Replace(".AppHost", "", StringComparison.Ordinal) ?? "Application",
        };
        Configuration.AddInMemoryCollection([
            new("AppHost:Directory", AppHostDirectory), new("AppHost:Path", AppHostPath),
            // Names of volumes come from it: what is published does not depend on the folder it was published from.
            new("AppHost:Sha256", ExecutionContext.IsRunMode ? Options.ApplicationId : Sha256(Path.GetFileName(AppHostPath))),
            new("AppHost:DashboardApplicationName", Options.ApplicationName), new("AppHost:Operation", operation),
            .. options.AllowUnsecuredTransport ? [new("ASPIRE_ALLOW_UNSECURED_TRANSPORT", "true")] : Array.Empty<KeyValuePair<string, string?>>()]);
        _interceptor?.Configuring(Options);
        AddServices();
    }

    private static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    public ConfigurationManager Configuration => _host.Configuration;
    public IHostEnvironment Environment => _host.Environment;
    public IServiceCollection Services => _host.Services;
    public IDistributedApplicationEventing Eventing { get; } = new DistributedApplicationEventing();
    public IResourceCollection Resources { get; } = new ResourceCollection();
    public DistributedApplicationExecutionContext ExecutionContext { get; }
    public string AppHostDirectory { get; }
    public string AppHostPath { get; }
    public Assembly? AppHostAssembly { get; }
    internal HostingOptions Options { get; }

    public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource
    {
        ArgumentNullException.ThrowIfNull(resource);
        if (Resources.TryGetByName(resource.Name, out var other))
        {
            throw new DistributedApplicationException(
                $"The resource name '{resource.Name}' is taken by a resource of type {other.GetType().Name}; names differ by more than upper and lower case.");
        }
        Resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource) where T : IResource => new DistributedApplicationResourceBuilder<T>(this, resource);

    public DistributedApplication Build()
    {
        if (_built)
        {
            throw new InvalidOperationException("Build can be called once.");
        }
        _built = true;
        _interceptor?.Building(this);
        var host = _host.Build();
        _executionOptions.ServiceProvider = host.Services;
        var application = new DistributedApplication(host, _interceptor);
        _interceptor?.Built(application);
        return application;
    }

    private void AddServices()
    {
        Services.AddSingleton(ExecutionContext).AddSingleton(Eventing).AddSingleton(Options)
            .AddSingleton<DistributedApplicationModel>(_ => new(Resources))
            .AddSingleton<IDistributedApplicationBuilder>(this)
            .AddSingleton<ResourceNotificationService>()
            .AddSingleton<ResourceLoggerService>(s => new(s.GetRequiredService<TimeProvider>()))
            .AddSingleton(s => new ResourceCommandService(s.GetRequiredService<ResourceNotificationService>(), s.GetRequiredService<ResourceLoggerService>(), s))
            .AddSingleton<IPublishingActivityReporter, PublishingActivityReporter>();
        Services.TryAddSingleton(TimeProvider.System);
        Services.Configure<ResourceNotificationServiceOptions>(o => o.DefaultWaitBehavior = Options.DashboardEnabled ? WaitBehavior.WaitOnResourceUnavailable : WaitBehavior.StopOnResourceUnavailable);
        Services.AddHttpClient();
        Services.AddHealthChecks();
        Services.AddLogging(logging => logging
            // A start that fails or is given up throws what it has to say; the host's own account of it only repeats that.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical)
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.Warning)
            .AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning)
            .AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
            .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None)
            .AddFilter("System.Net.Http.HttpClient", LogLevel.None));
        if (ExecutionContext.IsRunMode)
        {
            Services.AddModel(Options).AddEngine().AddLocalServers().AddOrchestration().AddOtlpSettings();
            if (Options.DashboardEnabled)
            {
                Services.AddDashboard(Configuration);
            }
        }
        else
        {
            Services.AddPublishing();
        }
        Services.AddCliBackchannel(Configuration);
    }

    private string? Metadata(string key) => AppHostAssembly?.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key.Equals(key, StringComparison.OrdinalIgnoreCase))?.Value;
}
