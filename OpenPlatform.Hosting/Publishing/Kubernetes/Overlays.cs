using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>
/// What differs between environments: a namespace, host names, how many run. As kustomize overlays, and as values files of the chart
/// that say the same.
/// </summary>
internal sealed class Overlays(DeploymentModel model, KubernetesOptions options)
{
    public static readonly IReadOnlyList<string> Names = ["dev", "staging", "production"];
    private const string Dev = "dev", Staging = "staging", Production = "production";

    private readonly KubernetesValues _values = new(model, options);

    public static string Namespace(DeploymentModel model, string environment) => $"{model.Name}-{environment}";

    public IEnumerable<DeploymentFile> Write()
    {
        foreach (var environment in Names)
        {
            yield return new($"overlays/{environment}/namespace.yaml", YamlWriter.Write(new YamlMap
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Namespace",
                ["metadata"] = new YamlMap
                {
                    ["name"] = Namespace(model, environment),
                    ["labels"] = new YamlMap { [KubernetesNames.PartOfLabel] = model.Name, ["pod-security.kubernetes.io/enforce"] = "restricted" },
                },
            }));
            yield return new($"overlays/{environment}/kustomization.yaml", YamlWriter.Write(KubernetesFiles.Kustomization(
                ("namespace", Namespace(model, environment)),
                ("resources", YamlNode.Texts(["namespace.yaml", "../../base"])),
                ("replicas", environment == Dev ? YamlNode.List(Scaled.Select(s => new YamlMap { ["name"] = s.Name, ["count"] = 1 })) : null),
                ("patches", YamlNode.List(Patches(environment)) is { Count: > 0 } patches ? patches : null))));
        }
    }

    /// <summary>The same as values of the chart.</summary>
    public YamlMap Values(string environment)
    {
        var values = new YamlMap();
        foreach (var service in model.Services.Where(s => s.Kind is ServiceKind.Project or ServiceKind.Container))
        {
            if (service.IsExternal)
            {
                HelmChart.Put(values, _values.Host(service).Path, Host(service, environment));
            }

            if (environment == Dev)
            {
                HelmChart.Put(values, _values.Replicas(service).Path, 1);
            }

            if (service.Autoscale is not null && environment == Dev)
            {
                HelmChart.Put(values, _values.Autoscaling(service).Path, false);
            }

            if (service.Autoscale is { } bounds && environment == Staging)
            {
                HelmChart.Put(values, _values.Min(service).Path, StagingMin(bounds));
                HelmChart.Put(values, _values.Max(service).Path, StagingMax(bounds));
            }
        }

        return values;
    }

    private IEnumerable<ServiceModel> Scaled => model.Services.Where(s => s.Kind is ServiceKind.Project or ServiceKind.Container);

    private IEnumerable<YamlNode> Patches(string environment)
    {
        if (environment == Dev && model.Services.Any(s => s.Autoscale is not null))
        {
            yield return new YamlMap
            {
                ["target"] = new YamlMap { ["kind"] = "HorizontalPodAutoscaler" },
                ["patch"] = "$patch: delete\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: any\n",
            };
        }

        foreach (var service in model.Services)
        {
            if (environment == Staging && service.Autoscale is { } bounds)
            {
                yield return Replace("HorizontalPodAutoscaler", service, ("/spec/minReplicas", StagingMin(bounds)), ("/spec/maxReplicas", StagingMax(bounds)));
            }

            if (service.IsExternal && environment != Production)
            {
                var host = Host(service, environment);
                switch (options.Ingress)
                {
                    case IngressKind.Ingress:
                        yield return Replace("Ingress", service, ("/spec/rules/0/host", host), ("/spec/tls/0/hosts/0", host));
                        break;
                    case IngressKind.HttpRoute:
                        yield return Replace("HTTPRoute", service, ("/spec/hostnames/0", host));
                        break;
                }
            }
        }
    }

    private static YamlMap Replace(string kind, ServiceModel service, params (string Path, YamlNode? Value)[] changes) => new()
    {
        ["target"] = new YamlMap { ["kind"] = kind, ["name"] = service.Name },
        ["patch"] = YamlWriter.Write(YamlNode.List(changes.Select(c => new YamlMap { ["op"] = "replace", ["path"] = c.Path, ["value"] = c.Value }))),
    };

    /// <summary>Two of each: enough to see what only happens between two.</summary>
    private static int StagingMin(AutoscaleModel bounds) => Math.Min(2, bounds.Min);

    private static int StagingMax(AutoscaleModel bounds) => Math.Max(StagingMin(bounds), bounds.Max / 2);

    private string Host(ServiceModel service, string environment) =>
        environment == Production ? $"{service.Name}.{options.Domain}" : $"{service.Name}.{environment}.{options.Domain}";
}
