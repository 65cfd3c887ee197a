using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>Pods under Pod Security's "restricted": no root, no privilege, no writable image, no token of the cluster.</summary>
internal sealed class Pods(DeploymentModel model, KubernetesValues values)
{
    /// <summary>Between "this pod is leaving" and the last caller's hearing of it.</summary>
    internal const int PreStopSeconds = 5;
    private const int Margin = 9;

    // The users of the images: .NET's "app"; "postgres" and "redis" of Debian's.
    private const int DotnetUser = 1654;
    private const int ServerUser = 999;

    public YamlMap Template(ServiceModel service, PodVariables variables)
    {
        var config = variables.Config;
        var container = new YamlMap
        {
            ["name"] = service.Name,
            ["image"] = values.Image(service),
            ["imagePullPolicy"] = "IfNotPresent",
            ["command"] = service.Entrypoint is { } entrypoint ? YamlNode.Texts([entrypoint]) : null,
            ["args"] = service.Arguments.Count > 0 ? variables.Arguments() : null,
            ["ports"] = YamlNode.List(Ports(service)),
            ["envFrom"] = config.Count > 0 ? new YamlList { new YamlMap { ["configMapRef"] = new YamlMap { ["name"] = $"{service.Name}-config" } } } : null,
            ["env"] = variables.Pod() is { Count: > 0 } env ? env : null,
            ["resources"] = values.Resources(service),
            ["startupProbe"] = Probe(service.Probes?.Startup, period: 2, failures: service.Kind == ServiceKind.Postgres ? 300 : 60),
            ["readinessProbe"] = Probe(service.Probes?.Readiness, period: 2, failures: 2),
            ["livenessProbe"] = Probe(service.Probes?.Liveness, period: 10, failures: 6),
            // By the kubelet: the images hold no shell and no sleep.
            ["lifecycle"] = service.Kind == ServiceKind.Project ? new YamlMap { ["preStop"] = new YamlMap { ["sleep"] = new YamlMap { ["seconds"] = PreStopSeconds } } } : null,
            ["securityContext"] = ContainerSecurity(),
            ["volumeMounts"] = YamlNode.List(Mounts(service)),
        };
        return Template(service.Name, User(service), container,
            annotations: config.Count > 0 ? new YamlMap { ["checksum/config"] = Checksum(service, config) } : null,
            volumes: YamlNode.List(Scratch(service).Concat(Fixed(service))),
            grace: service.Kind == ServiceKind.Project ? PreStopSeconds + (int)service.Drain.TotalSeconds + Margin : 60,
            spread: service.Kind is ServiceKind.Project or ServiceKind.Container);
    }

    public YamlMap Template(string name, int user, YamlMap container, YamlMap? annotations, YamlList volumes, int? grace = null, bool spread = false, string? serviceAccount = null, string? component = null, string? restart = null) => new()
    {
        ["metadata"] = new YamlMap { ["labels"] = KubernetesNames.PodLabels(model, name, component), ["annotations"] = annotations },
        ["spec"] = new YamlMap
        {
            ["serviceAccountName"] = serviceAccount ?? name,
            ["automountServiceAccountToken"] = false,
            ["enableServiceLinks"] = false,
            ["restartPolicy"] = restart,
            ["terminationGracePeriodSeconds"] = grace is { } seconds ? (YamlNode)seconds : null,
            ["securityContext"] = new YamlMap
            {
                ["runAsNonRoot"] = true,
                ["runAsUser"] = user,
                ["runAsGroup"] = user,
                ["fsGroup"] = user,
                ["fsGroupChangePolicy"] = "OnRootMismatch",
                ["seccompProfile"] = new YamlMap { ["type"] = "RuntimeDefault" },
            },
            ["topologySpreadConstraints"] = spread ? new YamlList { Spread(name, "topology.kubernetes.io/zone"), Spread(name, "kubernetes.io/hostname") } : null,
            ["affinity"] = spread ? Apart(name) : null,
            ["containers"] = new YamlList { container },
            ["volumes"] = volumes.Count > 0 ? volumes : null,
        },
    };

    public static YamlMap ContainerSecurity() => new()
    {
        ["allowPrivilegeEscalation"] = false,
        ["readOnlyRootFilesystem"] = true,
        ["capabilities"] = new YamlMap { ["drop"] = YamlNode.Texts(["ALL"]) },
    };

    public static int User(ServiceModel service) => service.Kind is ServiceKind.Postgres or ServiceKind.Redis ? ServerUser : DotnetUser;

    public static YamlMap EmptyDirectory(string name, string size) => new() { ["name"] = name, ["emptyDir"] = new YamlMap { ["sizeLimit"] = size } };

    public static YamlMap Mount(string name, string path, bool readOnly = false) => new() { ["name"] = name, ["mountPath"] = path, ["readOnly"] = readOnly ? (YamlNode)true : null };

    private static IEnumerable<YamlNode> Ports(ServiceModel service)
    {
        foreach (var endpoint in service.Endpoints)
        {
            yield return new YamlMap { ["name"] = KubernetesNames.Port(endpoint), ["containerPort"] = endpoint.Port };
        }

        if (service.Probes?.Readiness is { Path: not null } probe && service.Endpoints.All(e => e.Port != probe.Port))
        {
            yield return new YamlMap { ["name"] = "private", ["containerPort"] = probe.Port };
        }
    }

    private static YamlMap? Probe(ProbeModel? probe, int period, int failures) => probe is null ? null : new()
    {
        ["httpGet"] = probe.Path is { } path ? new YamlMap { ["path"] = path, ["port"] = probe.Port } : null,
        ["exec"] = probe.Command is { } command ? new YamlMap { ["command"] = YamlNode.Texts(command) } : null,
        ["periodSeconds"] = period,
        ["timeoutSeconds"] = 2,
        ["failureThreshold"] = failures,
    };

    private static IEnumerable<YamlNode> Mounts(ServiceModel service)
    {
        yield return Mount("tmp", "/tmp");
        if (service.Kind == ServiceKind.Postgres)
        {
            yield return Mount("run", "/var/run/postgresql");
            yield return Mount("init", "/docker-entrypoint-initdb.d", readOnly: true);
        }

        foreach (var volume in service.Volumes)
        {
            yield return Mount(volume.Name, volume.Path, volume.IsReadOnly);
        }
    }

    private static IEnumerable<YamlNode> Scratch(ServiceModel service)
    {
        yield return EmptyDirectory("tmp", "256Mi");
        if (service.Kind == ServiceKind.Postgres)
        {
            yield return EmptyDirectory("run", "16Mi");
        }

        foreach (var volume in service.Volumes.Where(v => v.IsScratch))
        {
            yield return EmptyDirectory(volume.Name, $"{volume.SizeGiB}Gi");
        }
    }

    private static IEnumerable<YamlNode> Fixed(ServiceModel service) => service.Kind == ServiceKind.Postgres
        ? [new YamlMap { ["name"] = "init", ["configMap"] = new YamlMap { ["name"] = $"{service.Name}-init" } }]
        : [];

    private YamlMap Spread(string name, string key) => new()
    {
        ["maxSkew"] = 1,
        ["topologyKey"] = key,
        // A lost zone must not keep its pods from starting in the others.
        ["whenUnsatisfiable"] = "ScheduleAnyway",
        ["labelSelector"] = new YamlMap { ["matchLabels"] = KubernetesNames.Selector(model, name) },
    };

    private YamlMap Apart(string name) => new()
    {
        ["podAntiAffinity"] = new YamlMap
        {
            ["preferredDuringSchedulingIgnoredDuringExecution"] = new YamlList
            {
                new YamlMap
                {
                    ["weight"] = 100,
                    ["podAffinityTerm"] = new YamlMap { ["topologyKey"] = "kubernetes.io/hostname", ["labelSelector"] = new YamlMap { ["matchLabels"] = KubernetesNames.Selector(model, name) } },
                },
            },
        },
    };

    /// <summary>Changes with the ConfigMap, so that pods are replaced when it changes: of its data as JSON with sorted keys, which is what the chart's toJson writes.</summary>
    private ChartText Checksum(ServiceModel service, YamlMap config)
    {
        var json = new StringBuilder("{");
        foreach (var (key, value) in config.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            json.Append(CultureInfo.InvariantCulture, $"{(json.Length > 1 ? "," : "")}{GoJson(key)}:{GoJson((string)((YamlScalar)value).Value)}");
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json.Append('}').ToString())));
        return new($"{{{{ toJson .Values.{values.Environment(service, config).Path} | sha256sum | quote }}}}", hash);
    }

    /// <summary>A string as Go's encoder writes it, which escapes what HTML could take for its own.</summary>
    internal static string GoJson(string text) => string.Concat(text.Select(c => c switch
    {
        '"' or '\\' => $"\\{c}",
        '\n' => "\\n",
        '\t' => "\\t",
        '\r' => "\\r",
        < ' ' or '<' or '>' or '&' or '\u2028' or '\u2029' => $"\\u{(int)c:x4}",
        _ => $"{c}",
    }).Prepend("\"").Append("\""));
}
