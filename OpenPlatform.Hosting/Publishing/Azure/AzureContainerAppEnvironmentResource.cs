using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Publishing;
using OpenPlatform.Hosting.Publishing.Azure;

namespace Aspire.Hosting.Azure.AppContainers
{
    /// <summary>An environment of Azure Container Apps to deploy to, with azd or any other tool that reads Bicep.</summary>
    public sealed class AzureContainerAppEnvironmentResource : Resource, IDeploymentTarget
    {
        private readonly string _root;

        /// <param name="root">The folder that <c>azure.yaml</c> lies in when it is used.</param>
        internal AzureContainerAppEnvironmentResource(string name, string root)
            : base(name) => _root = root;

        string IDeploymentTarget.Target => "Azure Container Apps";

        IEnumerable<DeploymentFile> IDeploymentTarget.Write(DeploymentModel model) => new AzureFiles(model, _root).Write();
    }
}

namespace Aspire.Hosting
{
    public static class AzureContainerAppExtensions
    {
        /// <summary>Publishes the application for Azure Container Apps as well. <c>azure.yaml</c> names projects as seen from the folder above the AppHost's.</summary>
        public static IResourceBuilder<Azure.AppContainers.AzureContainerAppEnvironmentResource> AddAzureContainerAppEnvironment(this IDistributedApplicationBuilder builder, string name)
        {
            ArgumentNullException.ThrowIfNull(builder);
            ArgumentException.ThrowIfNullOrEmpty(name);
            return builder.AddDeploymentTarget(new Azure.AppContainers.AzureContainerAppEnvironmentResource(name, Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(builder.AppHostDirectory)) ?? builder.AppHostDirectory));
        }
    }
}
