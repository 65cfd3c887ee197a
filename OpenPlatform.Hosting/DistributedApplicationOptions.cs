namespace Aspire.Hosting;

public enum DistributedApplicationOperation
{
    Run,
    Publish,
}

public sealed class DistributedApplicationOptions
{
    public string[]? Args { get; set; }
    /// <summary>The AppHost's assembly; default is the entry assembly.</summary>
    public string? AssemblyName { get; set; }
    /// <summary>The AppHost's project folder; default is what its build wrote into the assembly.</summary>
    public string? ProjectDirectory { get; set; }
    public string? ContainerRegistryOverride { get; set; }
    public string? DashboardApplicationName { get; set; }
    public bool DisableDashboard { get; set; }
    public bool AllowUnsecuredTransport { get; set; }
    public bool EnableResourceLogging { get; set; }
}

public class DistributedApplicationExecutionContextOptions(DistributedApplicationOperation operation, string? publisherName = null)
{
    public DistributedApplicationOperation Operation { get; } = operation;
    public string? PublisherName { get; } = publisherName;
    public IServiceProvider? ServiceProvider { get; set; }
}

/// <summary>Does this process run the application, or publish it?</summary>
public class DistributedApplicationExecutionContext(DistributedApplicationExecutionContextOptions options)
{
    public DistributedApplicationExecutionContext(DistributedApplicationOperation operation) : this(new DistributedApplicationExecutionContextOptions(operation)) { }
    public DistributedApplicationExecutionContext(DistributedApplicationOperation operation, string publisherName) : this(new DistributedApplicationExecutionContextOptions(operation, publisherName)) { }

    public DistributedApplicationOperation Operation { get; } = options.Operation;
    public bool IsRunMode => Operation == DistributedApplicationOperation.Run;
    public bool IsPublishMode => Operation == DistributedApplicationOperation.Publish;
    public string PublisherName { get; set; } = options.PublisherName ?? "manifest";
    public IServiceProvider ServiceProvider => options.ServiceProvider ?? throw new InvalidOperationException("The services are there once the application is built.");
}
