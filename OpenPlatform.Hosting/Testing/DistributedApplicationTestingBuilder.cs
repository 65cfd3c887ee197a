using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>The builder of an application under test: random ports, no dashboard, data that ends with the test.</summary>
public interface IDistributedApplicationTestingBuilder : IDistributedApplicationBuilder, IAsyncDisposable, IDisposable
{
    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}

public static class DistributedApplicationTestingBuilder
{
    /// <summary>Runs the entry point of the AppHost that holds <typeparamref name="TEntryPoint"/> until it builds, and hands out its builder.</summary>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(CancellationToken cancellationToken = default) where TEntryPoint : class =>
        RunAsync(typeof(TEntryPoint), [], (_, _) => { }, cancellationToken);

    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(string[] args, CancellationToken cancellationToken = default) where TEntryPoint : class =>
        RunAsync(typeof(TEntryPoint), args, (_, _) => { }, cancellationToken);

    /// <param name="configureBuilder">Changes the options, e.g. <c>DisableDashboard = false</c>.</param>
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder,
        CancellationToken cancellationToken = default) where TEntryPoint : class => RunAsync(typeof(TEntryPoint), args, configureBuilder, cancellationToken);

    public static Task<IDistributedApplicationTestingBuilder> CreateAsync(Type entryPoint, CancellationToken cancellationToken = default) => RunAsync(entryPoint, [], (_, _) => { }, cancellationToken);

    public static Task<IDistributedApplicationTestingBuilder> CreateAsync(Type entryPoint, string[] args, CancellationToken cancellationToken = default) =>
        RunAsync(entryPoint, args, (_, _) => { }, cancellationToken);

    public static Task<IDistributedApplicationTestingBuilder> CreateAsync(Type entryPoint, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder,
        CancellationToken cancellationToken = default) => RunAsync(entryPoint, args, configureBuilder, cancellationToken);

    private static Task<IDistributedApplicationTestingBuilder> RunAsync(Type entryPoint, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder,
        CancellationToken cancellationToken) => RunAsync(
            entryPoint.Assembly.EntryPoint ?? throw new InvalidOperationException($"The assembly of {entryPoint.Name}, {entryPoint.Assembly.GetName().Name}, has no entry point: name a type of an AppHost."),
            args, configureBuilder, cancellationToken);

    internal static async Task<IDistributedApplicationTestingBuilder> RunAsync(MethodInfo main, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder,
        CancellationToken cancellationToken)
    {
        var run = new EntryPointRun(main, args, configureBuilder);
        try
        {
            return new TestingBuilder(await run.StartAsync(cancellationToken), run);
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>An empty application.</summary>
    public static IDistributedApplicationTestingBuilder Create(params string[] args) => Create(args, (_, _) => { });

    public static IDistributedApplicationTestingBuilder Create(string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder)
    {
        var defaults = new TestDefaults(Assembly.GetCallingAssembly(), args, configureBuilder);
        EntryPointInterceptor.Current = defaults;
        try
        {
            return new TestingBuilder(new DistributedApplicationBuilder(args), run: null);
        }
        finally
        {
            EntryPointInterceptor.Current = null;
        }
    }

    private sealed class TestingBuilder(DistributedApplicationBuilder inner, EntryPointRun? run) : IDistributedApplicationTestingBuilder
    {
        private DistributedApplication? _application;

        public ConfigurationManager Configuration => inner.Configuration;
        public IHostEnvironment Environment => inner.Environment;
        public IServiceCollection Services => inner.Services;
        public IDistributedApplicationEventing Eventing => inner.Eventing;
        public IResourceCollection Resources => inner.Resources;
        public DistributedApplicationExecutionContext ExecutionContext => inner.ExecutionContext;
        public string AppHostDirectory => inner.AppHostDirectory;
        public Assembly? AppHostAssembly => inner.AppHostAssembly;
        public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource => inner.AddResource(resource);
        public IResourceBuilder<T> CreateResourceBuilder<T>(T resource) where T : IResource => inner.CreateResourceBuilder(resource);

        public DistributedApplication Build() => BuildAsync().GetAwaiter().GetResult();

        public async Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default) =>
            _application ??= run is null ? inner.Build() : await run.BuildAsync(cancellationToken);

        public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

        public async ValueTask DisposeAsync()
        {
            if (_application is not null)
            {
                await _application.DisposeAsync();
            }
            run?.Dispose();
        }
    }
}

/// <summary>What differs in a test; here the program itself builds and starts.</summary>
internal class TestDefaults(Assembly appHost, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure) : EntryPointInterceptor
{
    protected string[] Args { get; } = args;

    internal override void Constructing(DistributedApplicationOptions options, HostApplicationBuilderSettings settings)
    {
        options.Args = [.. options.Args ?? [], .. Args.Except(options.Args ?? [])];
        options.AssemblyName = appHost.GetName().Name;
        options.DisableDashboard = true;
        settings.EnvironmentName = Environments.Development;
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { ["DcpPublisher:RandomizePorts"] = "true", ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true" };
        var directory = appHost.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key.Equals("apphostprojectpath", StringComparison.OrdinalIgnoreCase))?.Value;
        // Without `dotnet run` nobody has read the AppHost's launch profile: its variables become configuration.
        if (directory is not null && LaunchProfiles.Read(Path.Join(directory, "AppHost.csproj"), "the AppHost") is { } launch
            && launch.Profiles.FirstOrDefault(p => LaunchProfiles.RunsProject(p.Value)) is { Key: { } name, Value: var profile })
        {
            values["DOTNET_LAUNCH_PROFILE"] = name;
            foreach (var (key, value) in profile.EnvironmentVariables)
            {
                values[key] = value;
            }
        }
        settings.Configuration ??= new();
        settings.Configuration.AddInMemoryCollection(values);
        configure(options, settings);
    }

    internal override void Configuring(HostingOptions options) => (options.TemporaryData, options.Quiet) = (true, true);
    internal override void Building(DistributedApplicationBuilder builder) { }
    internal override void Built(DistributedApplication application) { }
    internal override void Started() { }
    internal override Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>An AppHost's entry point on a thread of its own: it stands still in Build until the test builds, and in Run until the application has ended.</summary>
internal sealed class EntryPointRun(MethodInfo main, string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure)
    : TestDefaults(main.Module.Assembly, args, configure), IDisposable
{
    private readonly TaskCompletionSource<DistributedApplicationBuilder> _builder = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _build = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<DistributedApplication> _application = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal Task<DistributedApplicationBuilder> StartAsync(CancellationToken cancellationToken)
    {
        // A thread of its own does not carry the test's flow of control, nor the test the entry point's.
        new Thread(RunEntryPoint) { IsBackground = true, Name = $"AppHost {main.Module.Assembly.GetName().Name}" }.UnsafeStart();
        return _builder.Task.WaitAsync(cancellationToken);
    }

    internal Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken)
    {
        _build.TrySetResult();
        return _application.Task.WaitAsync(cancellationToken);
    }

    internal override void Building(DistributedApplicationBuilder builder)
    {
        _builder.TrySetResult(builder);
        _build.Task.GetAwaiter().GetResult();
    }

    internal override void Built(DistributedApplication application) => _application.TrySetResult(application);
    internal override void Started() => _started.TrySetResult();
    internal override Task WaitForStartAsync(CancellationToken cancellationToken) => _started.Task.WaitAsync(cancellationToken);

    /// <summary>Lets an entry point go that still waits to build or to start.</summary>
    public void Dispose()
    {
        _build.TrySetCanceled();
        _started.TrySetCanceled();
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever the entry point throws, the test shall see.")]
    private void RunEntryPoint()
    {
        Current = this;
        try
        {
            var result = main.Invoke(null, BindingFlags.DoNotWrapExceptions, binder: null, main.GetParameters().Length == 0 ? null : [Args], culture: null);
            (result as Task)?.GetAwaiter().GetResult();
            Fail(new InvalidOperationException($"The entry point of {main.Module.Assembly.GetName().Name} ended without building a distributed application."));
        }
        catch (Exception error)
        {
            Fail(error);
        }
    }

    private void Fail(Exception error)
    {
        _builder.TrySetException(error);
        _application.TrySetException(error);
    }
}
