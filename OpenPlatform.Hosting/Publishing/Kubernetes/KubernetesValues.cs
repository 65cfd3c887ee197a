using System.Globalization;
using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

#pragma warning disable CA1822 // One list of values, whether a default comes from the model and the options or not.

/// <summary>The values of the chart, each named once.</summary>
internal sealed class KubernetesValues(DeploymentModel model, KubernetesOptions options)
{
    private static readonly YamlMap Size = new() { ["pattern"] = "^[1-9][0-9]*(Mi|Gi|Ti)$" };

    /// <summary>No value of its own: it becomes a variable of the services that ask for it.</summary>
    public string ProxyNetwork => options.ProxyNetwork;
    public ChartValue SecretName => new("secretName", $"{model.Name}-secrets", "Name of the Secret that holds every secret; it is made before the first installation (NOTES).");
    public ChartValue PullSecrets => new("imagePullSecrets", new YamlList(), "Of a private registry: a list of {name: …}.");
    public ChartValue OtlpEndpoint => new("otlp.endpoint", options.OtlpEndpoint, "Collector of logs, metrics and traces (OTLP over gRPC); empty: nothing is sent.");
    public ChartValue OutsideExcept => new("networkPolicy.outsideExcept", YamlNode.Texts(["169.254.0.0/16"]), "What services that may call outside must not reach: link-local addresses give away a cloud's credentials.");
    public ChartValue NetworkPolicies => new("networkPolicy.enabled", true, "Only what the AppHost refers to may be called.");
    public ChartValue IngressNamespace => new("networkPolicy.ingressNamespace", options.IngressNamespace, "Namespace of the ingress controller.");
    public ChartValue Ingress => new("ingress.kind", IngressText(options.Ingress), "ingress, httproute (Gateway API) or none.", OneOf("ingress", "httproute", "none"));
    public ChartValue IngressClass => new("ingress.className", "nginx", "Of an Ingress.");
    public ChartValue TlsSecret => new("ingress.tlsSecret", $"{model.Name}-tls", "Secret of type kubernetes.io/tls; cert-manager makes it, or whoever deploys.");
    public ChartValue ClusterIssuer => new("ingress.annotations", new YamlMap { ["cert-manager.io/cluster-issuer"] = "letsencrypt" }, "Of an Ingress.");
    public ChartValue GatewayName => new("ingress.gateway.name", "public", "Of an HTTPRoute: the Gateway it hangs on, which ends TLS.");
    public ChartValue GatewayNamespace => new("ingress.gateway.namespace", "gateway-system", "Its namespace.");
    public ChartValue StorageClass => new("storageClass", options.StorageClass, "Of every volume; empty: the cluster's default.");
    public ChartValue BackupSchedule(ServiceModel server) => new($"{Key(server)}.backup.schedule", "17 2 * * *", "Cron expression, UTC.");
    public ChartValue BackupDays(ServiceModel server) => new($"{Key(server)}.backup.keepDays", "14", "Older backups are deleted.", new() { ["pattern"] = "^[1-9][0-9]*$" });
    public ChartValue BackupSize(ServiceModel server) => new($"{Key(server)}.backup.size", "20Gi", "Of the volume of the backups.", Size);
    public ChartValue BackupBucket(ServiceModel server) => new($"{Key(server)}.backup.objectStore", "s3://backups/postgres", "CloudNativePG: where base backups and the log go; credentials in the Secret postgres-backup.");
    public ChartValue Mode(ServiceModel server) => server.Kind == ServiceKind.Postgres
        ? new($"{Key(server)}.mode", ModeText(options.Postgres), "statefulset, cloudnative-pg (needs its operator) or managed (a server elsewhere).", OneOf("statefulset", "cloudnative-pg", "managed"))
        : new($"{Key(server)}.mode", options.Redis == RedisHosting.Managed ? "managed" : "statefulset", "statefulset or managed (a server elsewhere).", OneOf("statefulset", "managed"));

    public ChartValue Instances(ServiceModel server) => new($"{Key(server)}.instances", 3, "CloudNativePG: one writes, the others follow synchronously.", new() { ["minimum"] = 1 });
    public ChartValue Image(ServiceModel service) => new($"{Key(service)}.image", service.Image.Reference, "Image with tag or digest.", new() { ["minLength"] = 1 });
    public ChartValue Environment(ServiceModel service, YamlMap variables) => new($"{Key(service)}.env", variables, "Variables that are no secret; more may be added.");
    public ChartValue Replicas(ServiceModel service) => new($"{Key(service)}.replicas", service.Replicas, service.Autoscale is null ? "How many run." : "How many run while autoscaling is off.", new() { ["minimum"] = 0 });
    public ChartValue Autoscaling(ServiceModel service) => new($"{Key(service)}.autoscaling.enabled", true, "Between min and max replicas.");
    public ChartValue Min(ServiceModel service) => new($"{Key(service)}.autoscaling.min", service.Autoscale!.Min, rules: new() { ["minimum"] = 1 });
    public ChartValue Max(ServiceModel service) => new($"{Key(service)}.autoscaling.max", service.Autoscale!.Max, rules: new() { ["minimum"] = 1 });
    public ChartValue Cpu(ServiceModel service) => new($"{Key(service)}.autoscaling.cpuPercent", service.Autoscale!.CpuPercent, "Of the requested CPU.", new() { ["minimum"] = 1, ["maximum"] = 100 });
    public ChartValue ByInFlight(ServiceModel service) => new($"{Key(service)}.autoscaling.inFlight.enabled", true, "By requests in flight too; needs the custom metrics API (monitoring/prometheus-adapter.yaml).");
    public ChartValue InFlight(ServiceModel service) => new($"{Key(service)}.autoscaling.inFlight.perPod", InFlightPerPod(service).ToString(CultureInfo.InvariantCulture), "Per core × requested cores.", new() { ["pattern"] = "^[1-9][0-9]*$" });
    public ChartValue Host(ServiceModel service) => new($"{Key(service)}.host", $"{service.Name}.{options.Domain}", "Name under which it is reached from outside.", new() { ["minLength"] = 1 });
    public ChartValue VolumeSize(ServiceModel service, VolumeModel volume) => new($"{Key(service)}.{volume.Name}.size", $"{volume.SizeGiB}Gi", "Of each volume.", Size);
    public ChartValue Resources(ServiceModel service)
    {
        var memory = $"{service.Resources.MemoryMiB}Mi";
        return new($"{Key(service)}.resources", new YamlMap
        {
            ["requests"] = new YamlMap { ["cpu"] = $"{(int)Math.Round(service.Resources.Cpu * 1000)}m", ["memory"] = memory },
            // No limit on CPU: it would stall requests while the node has time to spare.
            ["limits"] = new YamlMap { ["memory"] = memory },
        });
    }

    internal static int InFlightPerPod(ServiceModel service) => Math.Max(1, (int)Math.Round(service.Autoscale!.InFlightPerCore!.Value * service.Resources.Cpu));

    /// <summary>Names in values.yaml hold no hyphen, which the template language would read as minus.</summary>
    internal static string Key(ServiceModel service)
    {
        var words = service.Name.Split('-');
        return words[0] + string.Concat(words.Skip(1).Select(w => char.ToUpperInvariant(w[0]) + w[1..]));
    }

    private static YamlMap OneOf(params string[] texts) => new() { ["enum"] = YamlNode.Texts(texts) };

    private static string ModeText(PostgresHosting mode) => mode switch { PostgresHosting.CloudNativePg => "cloudnative-pg", PostgresHosting.Managed => "managed", _ => "statefulset" };

    private static string IngressText(IngressKind kind) => kind switch { IngressKind.HttpRoute => "httproute", IngressKind.None => "none", _ => "ingress" };
}
