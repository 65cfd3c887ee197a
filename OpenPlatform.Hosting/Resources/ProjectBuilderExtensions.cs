using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Hosting;

namespace Aspire.Hosting;

/// <summary>.NET projects as resources.</summary>
public static class ProjectResourceBuilderExtensions
{
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name) where TProject : IProjectMetadata, new() =>
        builder.AddProject(name, new TProject(), new ProjectResourceOptions());

    /// <param name="launchProfileName">Profile of the project's launchSettings.json; null: none.</param>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name, string? launchProfileName) where TProject : IProjectMetadata, new() =>
        builder.AddProject(name, new TProject(), Profile(launchProfileName));

    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name, Action<ProjectResourceOptions> configure) where TProject : IProjectMetadata, new() =>
        builder.AddProject(name, new TProject(), Configured(configure));

    /// <param name="projectPath">Of the project file, absolute or relative to the AppHost's folder.</param>
    public static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, string projectPath) =>
        builder.AddProject(name, builder.Metadata(name, projectPath), new ProjectResourceOptions());

    public static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, string projectPath, string? launchProfileName) =>
        builder.AddProject(name, builder.Metadata(name, projectPath), Profile(launchProfileName));

    public static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, string projectPath, Action<ProjectResourceOptions> configure) =>
        builder.AddProject(name, builder.Metadata(name, projectPath), Configured(configure));

    /// <summary>How many instances run, at least 1. They share one address; each has its own beside it.</summary>
    public static IResourceBuilder<ProjectResource> WithReplicas(this IResourceBuilder<ProjectResource> builder, int replicas)
    {
        if (replicas < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(replicas), replicas, $"Resource '{builder.Resource.Name}' needs at least 1 replica; to start none, use WithExplicitStart.");
        }
        return builder.WithAnnotation(new ReplicaAnnotation(replicas), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <summary>In production the project does not trust forwarded headers.</summary>
    public static IResourceBuilder<ProjectResource> DisableForwardedHeaders(this IResourceBuilder<ProjectResource> builder) => builder.WithAnnotation(new DisableForwardedHeadersAnnotation());

    private static IResourceBuilder<ProjectResource> AddProject(this IDistributedApplicationBuilder builder, string name, IProjectMetadata metadata, ProjectResourceOptions options)
    {
        var project = builder.AddResource(new ProjectResource(name)).WithAnnotation(metadata);
        project.WithEnvironment("OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY", "in_memory");
        var profile = options.ExcludeLaunchProfile ? null : LaunchProfiles.Choose(name, metadata, options.LaunchProfileName, builder.Configuration);
        if (profile is { } chosen)
        {
            project.WithAnnotation(new LaunchProfileAnnotation(chosen.Name, chosen.Profile));
        }
        return builder.ExecutionContext.IsRunMode ? project.ForRunning(profile) : project.ForPublishing(profile?.Profile);
    }

    private static IResourceBuilder<ProjectResource> ForRunning(this IResourceBuilder<ProjectResource> project, (string Name, LaunchProfile Profile)? launch)
    {
        project.WithEnvironment(context => WriteUrls(project.Resource, context.EnvironmentVariables));
        if (launch is not var (profileName, profile))
        {
            return project;
        }
        var count = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var url in (profile.ApplicationUrl ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var address = BindingAddress.Parse(url);
            var number = count[address.Scheme] = count.GetValueOrDefault(address.Scheme) + 1;
            project.WithEndpoint(number == 1 ? address.Scheme : address.Scheme + number, endpoint =>
            {
                endpoint.UriScheme = address.Scheme;
                endpoint.Port = address.Port is 0 ? null : address.Port;
                endpoint.TargetHost = address.Host is "+" or "*" ? "localhost" : address.Host;
            });
        }
        if (Uri.TryCreate(profile.LaunchUrl, UriKind.RelativeOrAbsolute, out var launchUrl))
        {
            project.WithUrls(context =>
            {
                foreach (var url in context.Urls.Where(u => u.Endpoint is { IsHttpSchemeNamedEndpoint: true }))
                {
                    url.Url = new Uri(new Uri(url.Url), launchUrl).ToString();
                }
            });
        }
        if (profile.CommandLineArgs is { Length: > 0 } line)
        {
            // As with `dotnet run`: arguments given by the application replace the profile's.
            project.WithArgs(context =>
            {
                if (context.Resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>().Count() == 1)
                {
                    LaunchProfiles.SplitArguments(line).ForEach(context.Args.Add);
                }
            });
        }
        return project.WithEnvironment(context =>
        {
            context.EnvironmentVariables.TryAdd("DOTNET_LAUNCH_PROFILE", profileName);
            foreach (var (name, value) in profile.EnvironmentVariables)
            {
                context.EnvironmentVariables.TryAdd(name, Environment.ExpandEnvironmentVariables(value));
            }
        });
    }

    private static IResourceBuilder<ProjectResource> ForPublishing(this IResourceBuilder<ProjectResource> project, LaunchProfile? profile)
    {
        // The image listens on one HTTP port; TLS ends in front of it, so the https endpoint made here needs no port of its own.
        EndpointAnnotation? defaultHttps = null;
        project.WithEnvironment(context =>
        {
            foreach (var scheme in new[] { "http", "https" })
            {
                var ports = new ReferenceExpressionBuilder();
                foreach (var endpoint in project.Resource.GetEndpoints().Where(e => e.Scheme == scheme && e.EndpointAnnotation != defaultHttps))
                {
                    ports.AppendLiteral(ports.IsEmpty ? "" : ";");
                    ports.AppendFormatted(endpoint.Property(EndpointProperty.TargetPort));
                }
                if (!ports.IsEmpty)
                {
                    context.EnvironmentVariables.TryAdd($"{scheme.ToUpperInvariant()}_PORTS", ports.Build());
                }
            }
            if (project.Resource.GetEndpoints().Any() && !project.Resource.HasAnnotationOfType<DisableForwardedHeadersAnnotation>())
            {
                context.EnvironmentVariables["ASPNETCORE_FORWARDEDHEADERS_ENABLED"] = "true";
            }
        });
        if (string.IsNullOrEmpty(profile?.ApplicationUrl))
        {
            return project;
        }
        return project
            .WithEndpoint("http", e => e.UriScheme = "http")
            .WithEndpoint("https", e =>
            {
                e.UriScheme = "https";
                defaultHttps = e;
            });
    }

    private static void WriteUrls(ProjectResource project, Dictionary<string, object> variables)
    {
        if (variables.ContainsKey("ASPNETCORE_URLS"))
        {
            return;
        }
        var urls = new ReferenceExpressionBuilder();
        foreach (var endpoint in project.GetEndpoints().Where(e => e.IsHttp || e.IsHttps))
        {
            urls.Append($"{(urls.IsEmpty ? "" : ";")}{endpoint.Scheme}://{endpoint.EndpointAnnotation.TargetHost}:{endpoint.Property(EndpointProperty.TargetPort)}");
            if (endpoint.IsHttps)
            {
                // Redirects to https must name the public port, not the one the process listens on.
                variables.TryAdd("ASPNETCORE_HTTPS_PORT", endpoint.Property(EndpointProperty.Port));
            }
        }
        if (!urls.IsEmpty)
        {
            variables["ASPNETCORE_URLS"] = urls.Build();
        }
    }

    private static ProjectResourceOptions Profile(string? name) => new() { ExcludeLaunchProfile = name is null, LaunchProfileName = name };

    private static ProjectResourceOptions Configured(Action<ProjectResourceOptions> configure)
    {
        var options = new ProjectResourceOptions();
        configure(options);
        return options;
    }

    private static PathMetadata Metadata(this IDistributedApplicationBuilder builder, string name, string projectPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(projectPath);
        var path = Path.GetFullPath(projectPath.Replace('\\', Path.DirectorySeparatorChar), builder.AppHostDirectory);
        return File.Exists(path) ? new(path) : throw new DistributedApplicationException($"The project file '{path}' of resource '{name}' does not exist.");
    }

    private sealed class PathMetadata(string path) : IProjectMetadata
    {
        public string ProjectPath => path;
    }
}

internal sealed class DisableForwardedHeadersAnnotation : IResourceAnnotation;
