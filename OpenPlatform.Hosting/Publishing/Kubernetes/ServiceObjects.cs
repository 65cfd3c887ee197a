using System.Security.Cryptography;
using System.Text;
using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>The objects of one service: how it runs, how it is reached, how many of it there are, who may call it.</summary>
internal sealed class ServiceObjects(DeploymentModel model, KubernetesOptions options)
{
    private readonly KubernetesValues _values = new(model, options);
    private readonly Pods _pods = new(model, new(model, options));
    private readonly NetworkPolicies _policies = new(model, new(model, options));
    private readonly Databases _databases = new(model, new(model, options), new(model, new(model, options)));

    public IEnumerable<YamlNode> Of(ServiceModel service)
    {
        var variables = new PodVariables(model, _values, service);
        IEnumerable<YamlNode?> own =
        [
            new YamlMap(KubernetesNames.Object(model, "v1", "ServiceAccount", service.Name, null)) { ["automountServiceAccountToken"] = false, ["imagePullSecrets"] = _values.PullSecrets },
            Config(service, variables),
            .. service.Kind == ServiceKind.Postgres ? [_databases.Init(service)] : Array.Empty<YamlNode>(),
            service.Migrations is { } migrations ? Migration(service, variables, migrations) : null,
            service.IsStateful ? StatefulSet(service, variables) : Deployment(service, variables),
            .. Services(service),
            Autoscaler(service),
            service.Replicas > 1 ? DisruptionBudget(service) : null,
            .. Outside(service),
            .. service.Kind == ServiceKind.Postgres ? _databases.Backup(service) : [],
        ];
        var policies = _policies.Of(service).Select(p => (YamlNode)new ChartWhen(new(_values.NetworkPolicies), p));
        var objects = own.OfType<YamlNode>().Concat(policies);
        return service.Kind switch
        {
            // A server that may be hosted elsewhere: its own objects, the operator's, or none.
            ServiceKind.Postgres => [.. objects.Select(o => Hosted(service, o)), .. _databases.Operated(service).Select(o => (YamlNode)new ChartWhen(new(_values.Mode(service), "cloudnative-pg"), o))],
            ServiceKind.Redis => objects.Select(o => Hosted(service, o)),
            _ => objects,
        };
    }

    /// <summary>Objects that belong to no service.</summary>
    public IEnumerable<YamlNode> Shared()
    {
        yield return new ChartWhen(new(_values.NetworkPolicies), _policies.DenyAll());
    }

    private ChartWhen Hosted(ServiceModel service, YamlNode node) => new(new(_values.Mode(service), "statefulset"), node);

    private YamlMap? Config(ServiceModel service, PodVariables variables)
    {
        if (variables.Config.Count == 0)
        {
            return null;
        }

        var config = KubernetesNames.Object(model, "v1", "ConfigMap", $"{service.Name}-config", null, app: service.Name);
        config["data"] = _values.Environment(service, variables.Config);
        return config;
    }

    private YamlMap Deployment(ServiceModel service, PodVariables variables) => KubernetesNames.Object(model, "apps/v1", "Deployment", service.Name, new YamlMap
    {
        ["replicas"] = Replicas(service),
        ["revisionHistoryLimit"] = 5,
        ["minReadySeconds"] = 5,
        ["progressDeadlineSeconds"] = 600,
        // A new one is ready before an old one leaves.
        ["strategy"] = new YamlMap { ["type"] = "RollingUpdate", ["rollingUpdate"] = new YamlMap { ["maxUnavailable"] = 0, ["maxSurge"] = "25%" } },
        ["selector"] = new YamlMap { ["matchLabels"] = KubernetesNames.Selector(model, service.Name) },
        ["template"] = _pods.Template(service, variables),
    });

    private YamlMap StatefulSet(ServiceModel service, PodVariables variables) => KubernetesNames.Object(model, "apps/v1", "StatefulSet", service.Name, new YamlMap
    {
        ["replicas"] = Replicas(service),
        ["revisionHistoryLimit"] = 5,
        ["minReadySeconds"] = 5,
        ["serviceName"] = service.Kind == ServiceKind.Project ? $"{service.Name}-instances" : service.Name,
        ["podManagementPolicy"] = "Parallel",
        ["updateStrategy"] = new YamlMap { ["type"] = "RollingUpdate" },
        // What an instance has not delivered when it is scaled away waits for the next one of its number.
        ["persistentVolumeClaimRetentionPolicy"] = new YamlMap { ["whenDeleted"] = "Retain", ["whenScaled"] = "Retain" },
        ["selector"] = new YamlMap { ["matchLabels"] = KubernetesNames.Selector(model, service.Name) },
        ["template"] = _pods.Template(service, variables),
        ["volumeClaimTemplates"] = YamlNode.List(service.Volumes.Where(v => !v.IsScratch).Select(v => new YamlMap
        {
            ["apiVersion"] = "v1",
            ["kind"] = "PersistentVolumeClaim",
            ["metadata"] = new YamlMap { ["name"] = v.Name },
            ["spec"] = Claim(_values, _values.VolumeSize(service, v)),
        })),
    });

    internal static YamlMap Claim(KubernetesValues values, YamlNode size) => new()
    {
        ["accessModes"] = YamlNode.Texts(["ReadWriteOnce"]),
        ["storageClassName"] = new ChartWhen(new(values.StorageClass), values.StorageClass),
        ["resources"] = new YamlMap { ["requests"] = new YamlMap { ["storage"] = size } },
    };

    /// <summary>Without a number where the autoscaler sets it: applying the files again must not undo what it did.</summary>
    private YamlNode Replicas(ServiceModel service) => service.Kind is ServiceKind.Postgres or ServiceKind.Redis ? 1
        : service.Autoscale is null ? _values.Replicas(service)
        : new ChartWhen(new(_values.Autoscaling(service), not: true), _values.Replicas(service));

    private IEnumerable<YamlNode> Services(ServiceModel service)
    {
        if (service.Endpoints.Count == 0)
        {
            yield break;
        }

        var ports = YamlNode.List(service.Endpoints.Select(e => new YamlMap
        {
            ["name"] = KubernetesNames.Port(e),
            ["port"] = e.Port,
            ["targetPort"] = KubernetesNames.Port(e),
            ["appProtocol"] = e.Transport == "http2" ? "kubernetes.io/h2c" : null,
        }));
        yield return KubernetesNames.Object(model, "v1", "Service", service.Name, new YamlMap
        {
            ["clusterIP"] = service.HasAddressableInstances ? "None" : null,
            ["selector"] = KubernetesNames.Selector(model, service.Name),
            ["ports"] = ports,
        });
        if (service.IsStateful && service.Kind == ServiceKind.Project)
        {
            yield return KubernetesNames.Object(model, "v1", "Service", $"{service.Name}-instances", new YamlMap
            {
                ["clusterIP"] = "None",
                ["publishNotReadyAddresses"] = true,
                ["selector"] = KubernetesNames.Selector(model, service.Name),
                ["ports"] = ports,
            }, app: service.Name);
        }
    }

    private ChartWhen? Autoscaler(ServiceModel service) => service.Autoscale is null ? null : new(new(_values.Autoscaling(service)), KubernetesNames.Object(model, "autoscaling/v2", "HorizontalPodAutoscaler", service.Name, new YamlMap
    {
        ["scaleTargetRef"] = new YamlMap { ["apiVersion"] = "apps/v1", ["kind"] = service.IsStateful ? "StatefulSet" : "Deployment", ["name"] = service.Name },
        ["minReplicas"] = _values.Min(service),
        ["maxReplicas"] = _values.Max(service),
        ["metrics"] = new YamlList
        {
            new YamlMap
            {
                ["type"] = "Resource",
                ["resource"] = new YamlMap { ["name"] = "cpu", ["target"] = new YamlMap { ["type"] = "Utilization", ["averageUtilization"] = _values.Cpu(service) } },
            },
            service.Autoscale.InFlightPerCore is null ? null : new ChartWhen(new(_values.ByInFlight(service)), new YamlMap
            {
                ["type"] = "Pods",
                ["pods"] = new YamlMap
                {
                    ["metric"] = new YamlMap { ["name"] = "http_server_active_requests" },
                    ["target"] = new YamlMap { ["type"] = "AverageValue", ["averageValue"] = _values.InFlight(service) },
                },
            }),
        },
        ["behavior"] = new YamlMap
        {
            // Up at once and by up to double; down late and slowly: a flash crowd costs little, flapping costs requests.
            ["scaleUp"] = Behavior(window: 0, "Max", ("Percent", 100, 15), ("Pods", 4, 15)),
            ["scaleDown"] = Behavior(window: 300, "Min", ("Percent", 10, 60), ("Pods", 1, 60)),
        },
    }));

    private static YamlMap Behavior(int window, string choice, params (string Type, int Value, int Period)[] policies) => new()
    {
        ["stabilizationWindowSeconds"] = window,
        ["selectPolicy"] = choice,
        ["policies"] = YamlNode.List(policies.Select(p => new YamlMap { ["type"] = p.Type, ["value"] = p.Value, ["periodSeconds"] = p.Period })),
    };

    private YamlMap DisruptionBudget(ServiceModel service) => KubernetesNames.Object(model, "policy/v1", "PodDisruptionBudget", service.Name, new YamlMap
    {
        ["maxUnavailable"] = 1,
        // A pod that is not ready anyway must not keep a node from being drained.
        ["unhealthyPodEvictionPolicy"] = "AlwaysAllow",
        ["selector"] = new YamlMap { ["matchLabels"] = KubernetesNames.Selector(model, service.Name) },
    });

    private IEnumerable<YamlNode> Outside(ServiceModel service)
    {
        if (service.Endpoints.FirstOrDefault(e => e.IsExternal && e.Scheme is "http" or "https") is not { } endpoint)
        {
            yield break;
        }

        var host = _values.Host(service);
        var backend = new YamlMap { ["service"] = new YamlMap { ["name"] = service.Name, ["port"] = new YamlMap { ["name"] = KubernetesNames.Port(endpoint) } } };
        yield return new ChartWhen(new(_values.Ingress, "ingress"), KubernetesNames.Object(model, "networking.k8s.io/v1", "Ingress", service.Name, new YamlMap
        {
            ["ingressClassName"] = _values.IngressClass,
            ["tls"] = new YamlList { new YamlMap { ["hosts"] = new YamlList { host }, ["secretName"] = _values.TlsSecret } },
            ["rules"] = new YamlList
            {
                new YamlMap { ["host"] = host, ["http"] = new YamlMap { ["paths"] = new YamlList { new YamlMap { ["path"] = "/", ["pathType"] = "Prefix", ["backend"] = backend } } } },
            },
        }, annotations: _values.ClusterIssuer));
        yield return new ChartWhen(new(_values.Ingress, "httproute"), KubernetesNames.Object(model, "gateway.networking.k8s.io/v1", "HTTPRoute", service.Name, new YamlMap
        {
            // TLS ends at the listener of this name.
            ["parentRefs"] = new YamlList { new YamlMap { ["name"] = _values.GatewayName, ["namespace"] = _values.GatewayNamespace, ["sectionName"] = "https" } },
            ["hostnames"] = new YamlList { host },
            ["rules"] = new YamlList
            {
                new YamlMap
                {
                    ["matches"] = new YamlList { new YamlMap { ["path"] = new YamlMap { ["type"] = "PathPrefix", ["value"] = "/" } } },
                    ["backendRefs"] = new YamlList { new YamlMap { ["name"] = service.Name, ["port"] = endpoint.Port } },
                },
            },
        }));
    }

    /// <summary>Runs before instances are replaced. They would do the same work themselves, in a row; but here a failure stops the rollout before it began.</summary>
    private YamlMap Migration(ServiceModel service, PodVariables variables, IReadOnlyList<string> arguments)
    {
        var name = MigrationName(service);
        var container = new YamlMap
        {
            ["name"] = name,
            ["image"] = _values.Image(service),
            ["imagePullPolicy"] = "IfNotPresent",
            ["args"] = YamlNode.Texts(arguments),
            ["env"] = variables.ToDatabases(),
            ["resources"] = _values.Resources(service),
            ["securityContext"] = Pods.ContainerSecurity(),
            ["volumeMounts"] = new YamlList { Pods.Mount("tmp", "/tmp") },
        };
        var job = new YamlMap
        {
            ["backoffLimit"] = 10,
            ["activeDeadlineSeconds"] = 3600,
            ["ttlSecondsAfterFinished"] = 3600,
            ["template"] = _pods.Template(name, Pods.User(service), container, annotations: null, [Pods.EmptyDirectory("tmp", "64Mi")],
                serviceAccount: service.Name, component: "migration", restart: "OnFailure"),
        };
        // A Job cannot be changed, so another image or setting is another Job, named by what is in it; a finished one goes by itself.
        var content = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(YamlWriter.Write(Chart.Plain(job)!))))[..10];
        return KubernetesNames.Object(model, "batch/v1", "Job", $"{name}-{content}", job, component: "migration", app: name, annotations: new YamlMap
        {
            ["helm.sh/hook"] = new ChartText("pre-upgrade", null),
            ["helm.sh/hook-delete-policy"] = new ChartText("before-hook-creation,hook-succeeded", null),
        });
    }

    internal static string MigrationName(ServiceModel service) => $"{service.Name}-migrate";
}
