using System.Text.Json;
using Aspire.Hosting.Publishing;

namespace Aspire.Hosting.Publishing
{
    /// <summary>What a resource needs to write itself into a manifest.</summary>
    public sealed partial class ManifestPublishingContext(DistributedApplicationExecutionContext executionContext, string manifestPath, Utf8JsonWriter writer, CancellationToken cancellationToken = default)
    {
        public DistributedApplicationExecutionContext ExecutionContext { get; } = executionContext;
        public string ManifestPath { get; } = manifestPath;
        public Utf8JsonWriter Writer { get; } = writer;
        public CancellationToken CancellationToken { get; } = cancellationToken;
    }
}

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>Writes a resource's own manifest entry; a null callback leaves the resource out.</summary>
    public class ManifestPublishingCallbackAnnotation(Func<ManifestPublishingContext, Task>? callback) : IResourceAnnotation
    {
        public ManifestPublishingCallbackAnnotation(Action<ManifestPublishingContext>? callback)
            : this(callback is null ? (Func<ManifestPublishingContext, Task>?)null : context => { callback(context); return Task.CompletedTask; }) { }

        public Func<ManifestPublishingContext, Task>? Callback { get; } = callback;
        public static ManifestPublishingCallbackAnnotation Ignore { get; } = new((Func<ManifestPublishingContext, Task>?)null);
    }
}
