using Aspire.Hosting;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Hosting;

/// <summary>Elastic replicas while the application runs (beyond Aspire).</summary>
public static class ScaleExtensions
{
    /// <summary>
    /// Changes the number of replicas of a running resource. Completes when new replicas are healthy and in traffic, and superfluous
    /// ones (youngest first) have left traffic, finished and ended.
    /// </summary>
    /// <param name="replicas">0 or more; more than 1 needs proxied endpoints without fixed target ports.</param>
    /// <exception cref="ArgumentException">No such resource, or nothing runs for it.</exception>
    /// <exception cref="InvalidOperationException">It cannot have that many, or a new replica ended before it was ready.</exception>
    public static Task ScaleAsync(this DistributedApplication app, string resourceName, int replicas, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(app);
        ArgumentException.ThrowIfNullOrEmpty(resourceName);
        var resource = app.Services.GetRequiredService<OrchestratorHost>().Find(resourceName)
            ?? throw new ArgumentException($"There is no running resource '{resourceName}'.", nameof(resourceName));
        return resource.ScaleAsync(replicas, ct);
    }
}
