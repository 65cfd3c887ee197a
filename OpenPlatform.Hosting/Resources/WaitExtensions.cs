using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public static partial class ResourceBuilderExtensions
{
    /// <summary>Starts the resource when the dependency runs and is healthy.</summary>
    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency) where T : IResourceWithWaitSupport =>
        builder.Wait(dependency.Resource, WaitType.WaitUntilHealthy, behavior: null);

    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, WaitBehavior waitBehavior) where T : IResourceWithWaitSupport =>
        builder.Wait(dependency.Resource, WaitType.WaitUntilHealthy, waitBehavior);

    /// <summary>Starts the resource when the dependency runs, healthy or not.</summary>
    public static IResourceBuilder<T> WaitForStart<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency) where T : IResourceWithWaitSupport =>
        builder.Wait(dependency.Resource, WaitType.WaitUntilStarted, behavior: null);

    public static IResourceBuilder<T> WaitForStart<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, WaitBehavior waitBehavior) where T : IResourceWithWaitSupport =>
        builder.Wait(dependency.Resource, WaitType.WaitUntilStarted, waitBehavior);

    /// <summary>Starts the resource when the dependency has ended with this exit code; another code fails the resource.</summary>
    public static IResourceBuilder<T> WaitForCompletion<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, int exitCode = 0) where T : IResourceWithWaitSupport =>
        builder.Wait(dependency.Resource, WaitType.WaitForCompletion, behavior: null, exitCode);

    private static IResourceBuilder<T> Wait<T>(this IResourceBuilder<T> builder, IResource dependency, WaitType type, WaitBehavior? behavior, int exitCode = 0) where T : IResourceWithWaitSupport
    {
        var name = builder.Resource.Name;
        if ((IResource)builder.Resource == dependency)
        {
            throw new DistributedApplicationException($"Resource '{name}' cannot wait for itself.");
        }
        if (builder.Resource is IResourceWithParent child && child.Parent == dependency)
        {
            throw new DistributedApplicationException($"Resource '{name}' cannot wait for its parent '{dependency.Name}': it starts with it.");
        }
        // A child (a database) runs as soon as somebody says so; what really starts is its parent (the server).
        if (type != WaitType.WaitForCompletion && dependency is IResourceWithParent { Parent: { } parent } && parent != (IResource)builder.Resource)
        {
            builder.WithAnnotation(new WaitAnnotation(parent, type) { WaitBehavior = behavior });
        }
        return builder.WithRelationship(dependency, KnownRelationshipTypes.WaitFor).WithAnnotation(new WaitAnnotation(dependency, type, exitCode) { WaitBehavior = behavior });
    }

    /// <summary>The resource is healthy when the check says so that is registered under this key in the AppHost's services.</summary>
    public static IResourceBuilder<T> WithHealthCheck<T>(this IResourceBuilder<T> builder, string key) where T : IResource
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        if (builder.Resource.Annotations.OfType<HealthCheckAnnotation>().Any(h => h.Key == key))
        {
            throw new DistributedApplicationException($"Resource '{builder.Resource.Name}' has a health check '{key}' already.");
        }
        return builder.WithAnnotation(new HealthCheckAnnotation(key));
    }

    /// <summary>The resource is healthy when a GET of <paramref name="path"/> (default <c>/</c>) is answered with <paramref name="statusCode"/> (default 200). Every replica is asked at its own address.</summary>
    public static IResourceBuilder<T> WithHttpHealthCheck<T>(this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null) where T : IResourceWithEndpoints =>
        builder.WithHttpHealthCheck(() => endpointName is not null
            ? new EndpointReference(builder.Resource, endpointName)
            : builder.Resource.GetEndpoints().Where(e => e.IsHttp || e.IsHttps).OrderBy(e => e.EndpointName switch { "http" => 0, "https" => 1, _ => 2 }).FirstOrDefault()
              ?? new EndpointReference(builder.Resource, "http"), path, statusCode);

    public static IResourceBuilder<T> WithHttpHealthCheck<T>(this IResourceBuilder<T> builder, Func<EndpointReference>? endpointSelector, string? path = null, int? statusCode = null) where T : IResourceWithEndpoints
    {
        var name = builder.Resource.Name;
        var endpoint = endpointSelector is null ? new EndpointReference(builder.Resource, "http") : endpointSelector();
        if (!Uri.IsWellFormedUriString(path ?? "/", UriKind.Relative))
        {
            throw new ArgumentException($"The path '{path}' of the HTTP health check of resource '{name}' must be relative, e.g. /health.", nameof(path));
        }
        if (statusCode is < 100 or > 599)
        {
            throw new ArgumentOutOfRangeException(nameof(statusCode), statusCode, $"The status code of the HTTP health check of resource '{name}' must lie between 100 and 599.");
        }
        if (!endpoint.Exists || !(endpoint.IsHttp || endpoint.IsHttps))
        {
            var why = endpoint.Exists ? $"endpoint '{endpoint.EndpointName}' is {endpoint.Scheme}" : $"it has no endpoint '{endpoint.EndpointName}'; add one before, e.g. with WithHttpEndpoint";
            throw new DistributedApplicationException($"Resource '{name}' cannot have an HTTP health check: {why}.");
        }
        var key = $"{name}_{endpoint.EndpointName}_{path ?? "/"}_{statusCode ?? 200}_check";
        return builder.WithAnnotation(new HttpHealthCheckAnnotation(key, endpoint, path ?? "/", statusCode ?? 200));
    }
}
