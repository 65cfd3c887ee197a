namespace Aspire.Hosting.ApplicationModel;

/// <summary>A .NET project that runs as a process.</summary>
public class ProjectResource(string name) : Resource(name), IResourceWithEnvironment, IResourceWithArgs, IResourceWithServiceDiscovery, IResourceWithWaitSupport, IResourceWithProbes,
    IComputeResource, IContainerFilesDestinationResource;

/// <summary>Any program that runs as a process.</summary>
public class ExecutableResource : Resource, IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport, IResourceWithProbes, IComputeResource
{
    public ExecutableResource(string name, string command, string workingDirectory) : base(name)
    {
        ArgumentException.ThrowIfNullOrEmpty(command);
        ArgumentNullException.ThrowIfNull(workingDirectory);
        base.Annotations.Add(new ExecutableAnnotation { Command = command, WorkingDirectory = workingDirectory });
    }

    public string Command => Annotations.OfType<ExecutableAnnotation>().Last().Command;
    public string WorkingDirectory => Annotations.OfType<ExecutableAnnotation>().Last().WorkingDirectory;
}

/// <summary>A container; where no container engine is there, a local server may stand in.</summary>
public class ContainerResource(string name, string? entrypoint = null) : Resource(name), IResourceWithEnvironment, IResourceWithArgs, IResourceWithEndpoints, IResourceWithWaitSupport,
    IResourceWithProbes, IComputeResource
{
    public string? Entrypoint { get; set; } = entrypoint;
    public bool? ShellExecution { get; set; }
}

/// <summary>A service that is not part of the application: a fixed address, or one that a parameter holds.</summary>
public sealed class ExternalServiceResource : Resource, IResourceWithoutLifetime
{
    public ExternalServiceResource(string name, Uri uri) : base(name) => Uri = Check(name, uri, nameof(uri));
    public ExternalServiceResource(string name, ParameterResource urlParameter) : base(name) => UrlParameter = urlParameter;

    public Uri? Uri { get; }
    public ParameterResource? UrlParameter { get; }

    internal static Uri Parse(ExternalServiceResource service, string? value) => System.Uri.TryCreate(value, UriKind.Absolute, out var uri)
        ? Check(service.Name, uri, service.UrlParameter?.Name ?? "url")
        : throw new DistributedApplicationException($"Parameter '{service.UrlParameter?.Name}' of external service '{service.Name}' is not an absolute URL.");

    private static Uri Check(string name, Uri uri, string field) =>
        uri.IsAbsoluteUri && uri.AbsolutePath == "/" && uri.Query.Length == 0 && uri.Fragment.Length == 0
            ? uri
            : throw new ArgumentException($"The URL '{uri}' of external service '{name}' must be absolute and end with its host or port, e.g. https://example.com/.", field);
}

/// <summary>A connection string put together from other values.</summary>
public sealed class ConnectionStringResource(string name, ReferenceExpression connectionStringExpression) : Resource(name), IResourceWithConnectionString, IResourceWithWaitSupport, IResourceWithoutLifetime
{
    public ReferenceExpression ConnectionStringExpression { get; } = connectionStringExpression;
}
