using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Publishing;
using OpenPlatform.Hosting.Publishing.Compose;

namespace Aspire.Hosting.Docker
{
    /// <summary>One machine with a container engine to deploy to: a Compose file, and what stands in front of and beside it.</summary>
    public sealed class DockerComposeEnvironmentResource : Resource, IDeploymentTarget
    {
        public DockerComposeEnvironmentResource(string name)
            : base(name) => Settings = new("Compose", Options);

        internal ComposeOptions Options { get; } = new();

        internal TargetOptions Settings { get; }

        TargetOptions IDeploymentTarget.Settings => Settings;

        string IDeploymentTarget.Target => "Docker Compose";

        IEnumerable<DeploymentFile> IDeploymentTarget.Write(DeploymentModel model) => new ComposeFiles(model, Options).Write();
    }
}

namespace Aspire.Hosting
{
    public static class DockerComposeEnvironmentExtensions
    {
        /// <summary>Publishes the application for Docker Compose as well. Configuration <c>Compose:&lt;option&gt;</c> sets what <see cref="ComposeOptions"/> has.</summary>
        public static IResourceBuilder<Docker.DockerComposeEnvironmentResource> AddDockerComposeEnvironment(this IDistributedApplicationBuilder builder, string name)
        {
            ArgumentNullException.ThrowIfNull(builder);
            ArgumentException.ThrowIfNullOrEmpty(name);
            var environment = new Docker.DockerComposeEnvironmentResource(name);
            environment.Settings.Read(builder.Configuration);
            return builder.AddDeploymentTarget(environment);
        }
    }
}

namespace OpenPlatform.Hosting
{
    /// <summary>What somebody who deploys with Compose may decide.</summary>
    public sealed class ComposeOptions
    {
        /// <summary>Image of the proxy that shares one public port among the replicas behind it: haproxy 2.6 or newer.</summary>
        public string EdgeImage { get; set; } = "docker.io/library/haproxy:3.2-alpine";

        /// <summary>Image of the Aspire dashboard, which runs when Compose is given <c>--profile dashboard</c>.</summary>
        public string DashboardImage { get; set; } = "mcr.microsoft.com/dotnet/aspire-dashboard:13.5";
    }
}
