using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

/// <summary>Small applications to ask questions to; nothing of them starts.</summary>
internal static class Apps
{
    internal static DistributedApplicationBuilder Running(params string[] args) =>
        new(new DistributedApplicationOptions { Args = args, DisableDashboard = true, AssemblyName = "OpenPlatform.Tests", ProjectDirectory = Path.GetTempPath() });

    internal static DistributedApplicationBuilder Publishing(params string[] args) => Running(["--operation", "publish", .. args]);

    /// <summary>A project folder with launch settings; deleted at the end.</summary>
    internal static TemporaryProject Project(string? launchSettings = null) => new(launchSettings);

    /// <summary>Lets every endpoint have an address, as the orchestrator does: ports from 50001 on, in order.</summary>
    internal static void Allocate(this IDistributedApplicationBuilder builder)
    {
        var port = 50000;
        foreach (var endpoint in builder.Resources.SelectMany(r => r.Annotations.OfType<EndpointAnnotation>()))
        {
            endpoint.AllocatedEndpoint = new(endpoint, "localhost", endpoint.Port ?? ++port, $"target-of-{endpoint.Name}");
        }
    }

    /// <summary>The environment as the process would see it, sorted by name.</summary>
    internal static async Task<SortedDictionary<string, string?>> EnvironmentAsync(this IDistributedApplicationBuilder builder, IResource resource)
    {
        var context = new EnvironmentCallbackContext(builder.ExecutionContext, resource, cancellationToken: TestContext.Current.CancellationToken);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await annotation.Callback(context);
        }
        var values = new SortedDictionary<string, string?>(StringComparer.Ordinal);
        foreach (var (name, value) in context.EnvironmentVariables)
        {
            values[name] = value is IValueProvider provider
                ? await provider.GetValueAsync(new ValueProviderContext { Caller = resource, ExecutionContext = builder.ExecutionContext }, context.CancellationToken)
                : value.ToString();
        }
        return values;
    }

    internal static async Task<List<string?>> ArgsAsync(IResource resource)
    {
        var context = new CommandLineArgsCallbackContext([], resource, TestContext.Current.CancellationToken);
        foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>())
        {
            await annotation.Callback(context);
        }
        var args = new List<string?>();
        foreach (var arg in context.Args)
        {
            args.Add(arg is IValueProvider provider ? await provider.GetValueAsync(context.CancellationToken) : arg.ToString());
        }
        return args;
    }
}

internal sealed class TemporaryProject : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("openplatform-model-");

    internal TemporaryProject(string? launchSettings)
    {
        File.WriteAllText(Path, "<Project Sdk=\"Microsoft.NET.Sdk\" />");
        if (launchSettings is not null)
        {
            File.WriteAllText(System.IO.Path.Join(_directory.CreateSubdirectory("Properties").FullName, "launchSettings.json"), launchSettings);
        }
    }

    internal string Folder => _directory.FullName;
    internal string Path => System.IO.Path.Join(Folder, "Shop.Api.csproj");
    public void Dispose() => _directory.Delete(recursive: true);
}

/// <summary>A database that is nothing but its connection string.</summary>
internal sealed class FakeDatabase(string name, EndpointReference server, ParameterResource password) : Resource(name), IResourceWithConnectionString
{
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"Host={server.Property(EndpointProperty.Host)};Port={server.Property(EndpointProperty.Port)};Password={password};Database={Name}");

    public IEnumerable<KeyValuePair<string, ReferenceExpression>> GetConnectionProperties() =>
    [
        new("Host", ReferenceExpression.Create($"{server.Property(EndpointProperty.Host)}")),
        new("Uri", ReferenceExpression.Create($"db://user:{password:uri}@{server.Property(EndpointProperty.HostAndPort)}/{Name}")),
    ];
}
