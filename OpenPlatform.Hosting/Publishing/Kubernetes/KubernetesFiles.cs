using Aspire.Hosting;
using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>One set of objects, written twice: as plain manifests under <c>base</c> with overlays, and as a chart.</summary>
internal sealed class KubernetesFiles(DeploymentModel model, KubernetesOptions options)
{
    private const string Shared = "shared";

    public IEnumerable<DeploymentFile> Write()
    {
        var objects = new ServiceObjects(model, options);
        (string Name, YamlNode[] Documents)[] files = [(Shared, [.. objects.Shared()]), .. model.Services.Select(s => (s.Name, objects.Of(s).ToArray()))];
        if (model.Services.FirstOrDefault(s => s.Name is Shared or "otlp" or "ingress" or "secret-name" or "network-policy" or "storage-class" or "image-pull-secrets" or "global") is { } taken)
        {
            throw new DistributedApplicationException($"A service cannot be named '{taken.Name}' on Kubernetes: the chart uses that word.");
        }

        var plain = files.Select(f => (f.Name, Documents: f.Documents.Select(Chart.Plain).OfType<YamlNode>().ToArray())).Where(f => f.Documents.Length > 0).ToArray();
        foreach (var (kind, name) in plain.SelectMany(f => f.Documents).OfType<YamlMap>().Select(o => (Text(o["kind"]), Text((o["metadata"] as YamlMap)?["name"]))))
        {
            // What Kubernetes makes of a CronJob adds eleven characters, of a StatefulSet its number and a hash.
            var most = kind is "CronJob" or "StatefulSet" ? 52 : 63;
            if (name.Length > most)
            {
                throw new DistributedApplicationException($"'{name}' is too long for a {kind} of Kubernetes: {name.Length} characters, at most {most}. Give the resource a shorter name.");
            }
        }

        var secrets = plain.SelectMany(f => f.Documents).SelectMany(SecretKeys).Distinct().Order(StringComparer.Ordinal).ToArray();

        foreach (var (name, documents) in plain)
        {
            yield return new($"base/{name}.yaml", string.Join("---\n", documents.Select(YamlWriter.Write)));
        }

        yield return new("base/kustomization.yaml", YamlWriter.Write(Kustomization(("resources", YamlNode.Texts(plain.Select(f => $"{f.Name}.yaml"))))));
        var overlays = new Overlays(model, options);
        foreach (var file in overlays.Write())
        {
            yield return file;
        }

        foreach (var file in new HelmChart(model, options, files, secrets).Write())
        {
            yield return file;
        }

        yield return new("README.md", Guide(secrets));
    }

    internal static YamlMap Kustomization(params (string Key, YamlNode? Value)[] entries)
    {
        var kustomization = new YamlMap { ["apiVersion"] = "kustomize.config.k8s.io/v1beta1", ["kind"] = "Kustomization" };
        foreach (var (key, value) in entries)
        {
            kustomization[key] = value;
        }

        return kustomization;
    }

    /// <summary>The command that makes the Secret, with a good value for what is only ever generated.</summary>
    private string SecretCommand(IEnumerable<string> keys, string environment) =>
        $"kubectl create secret generic {model.Name}-secrets --namespace {Overlays.Namespace(model, environment)}" + string.Concat(keys.Select(key => $" \\\n  --from-literal={key}={Supplied(key)}"));

    /// <summary>Letters and digits only: a password that becomes part of a URL or a connection string needs no escape.</summary>
    private string Supplied(string key)
    {
        if (key.EndsWith("-connection-string", StringComparison.Ordinal))
        {
            return "'…'";
        }

        var length = model.Secrets.FirstOrDefault(s => s.Name == key)?.Length ?? 32;
        return $"\"$(openssl rand -base64 {Math.Max(96, length * 2)} | tr -dc A-Za-z0-9 | head -c {length})\"";
    }

    private IEnumerable<string> SecretKeys(YamlNode node) => node switch
    {
        YamlMap map => map["secretKeyRef"] is YamlMap reference && reference["name"] is YamlScalar { Value: string name } && name == $"{model.Name}-secrets"
            ? [(string)((YamlScalar)reference["key"]!).Value]
            : map.SelectMany(e => SecretKeys(e.Value)),
        YamlList list => list.SelectMany(SecretKeys),
        _ => [],
    };

    private static string Text(YamlNode? node) => (node as YamlScalar)?.Value as string ?? "";

    private string Guide(IReadOnlyList<string> secrets) => $"""
        # {model.Name} {model.Version} on Kubernetes

        Written by `--operation publish`; the next time changes what it wrote and leaves everything else alone. Needs Kubernetes 1.30.

        | Folder | For |
        |---|---|
        | `base`, `overlays/<dev, staging or production>` | `kubectl apply -k` |
        | `chart` | `helm upgrade --install`; the same objects, and `values.yaml` says what can be chosen |

        ## Secrets

        No file holds one. They are keys of one Secret, made before the first installation (letters and digits only; a connection string as a whole):

        ```
        {SecretCommand(secrets, "production")}
        ```

        | Key | What |
        |---|---|
        {string.Join("\n", secrets.Select(k => $"| `{k}` | {About(k)} |"))}
        {BackupSecret()}
        ## Install, upgrade

        ```
        kubectl apply -f overlays/production/namespace.yaml
        # the Secret, as above
        kubectl apply -k overlays/production
        ```

        or `helm upgrade --install {model.Name} chart -f chart/values-production.yaml --namespace {Overlays.Namespace(model, "production")}`.
        """.ReplaceLineEndings("\n") + "\n";

    /// <summary>CloudNativePG reads the object store's credentials from a Secret of its own.</summary>
    private string BackupSecret() => options.Postgres != PostgresHosting.CloudNativePg || model.Services.All(s => s.Kind != ServiceKind.Postgres) ? "" : $"""

        CloudNativePG writes backups to the object store of `objectStore` (`values.yaml`, or the `Cluster` in `base`), with what it finds here:

        ```
        kubectl create secret generic {Databases.StoreSecret} --namespace {Overlays.Namespace(model, "production")} --from-literal=ACCESS_KEY_ID='…' --from-literal=SECRET_ACCESS_KEY='…'
        ```

        """;

    private string About(string key) => model.Secrets.FirstOrDefault(s => s.Name == key)?.Description is { Length: > 0 } description ? description
        : key.EndsWith("-connection-string", StringComparison.Ordinal) ? $"connection string `{key[..^"-connection-string".Length]}` of the managed server"
        : $"parameter `{key}`, used by {string.Join(", ", model.Services.Where(s => s.Environment.Any(v => v.Value.Parameters.Any(p => p.Name == key))).Select(s => s.Name))}";
}
