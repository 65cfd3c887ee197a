using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Publishing;
using OpenPlatform.Hosting.Publishing.Kubernetes;

namespace Aspire.Hosting.Kubernetes
{
    /// <summary>A Kubernetes cluster to deploy to: plain manifests with kustomize overlays, and a Helm chart of the same objects.</summary>
    public sealed class KubernetesEnvironmentResource : Resource, IComputeEnvironmentResource, IDeploymentTarget
    {
        public KubernetesEnvironmentResource(string name)
            : base(name) => Settings = new("Kubernetes", Options);

        internal KubernetesOptions Options { get; } = new();

        internal TargetOptions Settings { get; }

        TargetOptions IDeploymentTarget.Settings => Settings;

        string IDeploymentTarget.Target => "Kubernetes";

        IEnumerable<DeploymentFile> IDeploymentTarget.Write(DeploymentModel model) => new KubernetesFiles(model, Options).Write();
    }
}

namespace Aspire.Hosting
{
    public static class KubernetesEnvironmentExtensions
    {
        /// <summary>Publishes the application for Kubernetes as well. Configuration <c>Kubernetes:&lt;option&gt;</c> sets what <see cref="KubernetesOptions"/> has.</summary>
        public static IResourceBuilder<Kubernetes.KubernetesEnvironmentResource> AddKubernetesEnvironment(this IDistributedApplicationBuilder builder, string name)
        {
            ArgumentNullException.ThrowIfNull(builder);
            ArgumentException.ThrowIfNullOrEmpty(name);
            var environment = new Kubernetes.KubernetesEnvironmentResource(name);
            environment.Settings.Read(builder.Configuration);
            return builder.AddDeploymentTarget(environment);
        }
    }
}

namespace OpenPlatform.Hosting
{
    public enum PostgresHosting
    {
        /// <summary>One instance with a volume, backed up every night.</summary>
        StatefulSet,
        /// <summary>A <c>Cluster</c> of the CloudNativePG operator: three instances, synchronous, over zones.</summary>
        CloudNativePg,
        /// <summary>A server elsewhere; its connection strings are secrets.</summary>
        Managed,
    }

    public enum RedisHosting
    {
        /// <summary>One instance with a volume. Nothing but seconds of accuracy is lost with it.</summary>
        StatefulSet,
        /// <summary>A server elsewhere; its connection string is a secret.</summary>
        Managed,
    }

    public enum IngressKind
    {
        /// <summary><c>networking.k8s.io/v1 Ingress</c>.</summary>
        Ingress,
        /// <summary><c>gateway.networking.k8s.io/v1 HTTPRoute</c>.</summary>
        HttpRoute,
        /// <summary>Nothing leads in; whoever deploys adds it.</summary>
        None,
    }

    /// <summary>What a cluster may decide. Each is the default of a value of the chart.</summary>
    public sealed class KubernetesOptions
    {
        public PostgresHosting Postgres { get; set; }
        public RedisHosting Redis { get; set; }
        public IngressKind Ingress { get; set; }

        /// <summary>Domain of the external services: <c>gateway.&lt;domain&gt;</c> and so on.</summary>
        public string Domain { get; set; } = "example.com";

        /// <summary>Namespace of the ingress controller, which alone may call external services.</summary>
        public string IngressNamespace { get; set; } = "ingress-nginx";

        /// <summary>Network of the ingress controller's pods (CIDR), whose word about the caller's address counts; empty: nobody's does.</summary>
        public string ProxyNetwork { get; set; } = "";

        /// <summary>Storage class of every volume; empty: the cluster's default.</summary>
        public string StorageClass { get; set; } = "";

        /// <summary>Collector of telemetry (OTLP over gRPC); empty: none is sent.</summary>
        public string OtlpEndpoint { get; set; } = "http://otel-collector.observability.svc:4317";
    }

    public static class KubernetesOptionsExtensions
    {
        /// <summary>Changes the options of this environment.</summary>
        public static IResourceBuilder<Aspire.Hosting.Kubernetes.KubernetesEnvironmentResource> WithOptions(this IResourceBuilder<Aspire.Hosting.Kubernetes.KubernetesEnvironmentResource> builder, Action<KubernetesOptions> configure)
        {
            ArgumentNullException.ThrowIfNull(builder);
            ArgumentNullException.ThrowIfNull(configure);
            configure(builder.Resource.Options);
            return builder;
        }
    }
}
