using Aspire.Hosting;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.Hosting;

/// <summary>Lets a test run an AppHost's own entry point: the builder made inside that flow of control is handed out, and Run waits for the test.</summary>
internal abstract class EntryPointInterceptor
{
    private static readonly AsyncLocal<EntryPointInterceptor?> Flow = new();

    /// <summary>Set only inside the entry point's own flow, so that AppHosts in parallel do not see each other.</summary>
    internal static EntryPointInterceptor? Current { get => Flow.Value; set => Flow.Value = value; }

    internal abstract void Constructing(DistributedApplicationOptions options, HostApplicationBuilderSettings settings);
    internal abstract void Configuring(HostingOptions options);
    internal abstract void Building(DistributedApplicationBuilder builder);
    internal abstract void Built(DistributedApplication application);

    /// <summary>The test has started the application.</summary>
    internal abstract void Started();

    /// <summary>The entry point wants to start the application: it goes on once the test has started it.</summary>
    internal abstract Task WaitForStartAsync(CancellationToken cancellationToken);
}
