using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Compose;

/// <summary>The files of a Compose deployment: what runs, the proxy in front, and the script that makes the secrets.</summary>
internal sealed class ComposeFiles(DeploymentModel model, ComposeOptions options)
{
    internal const string Inside = "inside", Outside = "outside", Dashboard = "dashboard";

    public IEnumerable<DeploymentFile> Write()
    {
        var secrets = new ComposeSecrets(model);
        var edge = new ComposeEdge(model, options);
        if (model.Services.FirstOrDefault(s => s.Name is ComposeEdge.Name or Dashboard) is { } taken)
        {
            throw new Aspire.Hosting.DistributedApplicationException($"A service cannot be named '{taken.Name}' with Compose: the deployment adds one of that name.");
        }

        yield return new("compose.yaml", YamlWriter.Write(Document(secrets, edge)));
        yield return new("secrets.sh", secrets.Script());
        if (edge.Configuration() is { } configuration)
        {
            yield return new(ComposeEdge.ConfigurationFile, configuration);
        }

        foreach (var server in model.Services.Where(s => s.Databases.Count > 0))
        {
            yield return new(ComposeService.InitFile(server), string.Concat(server.Databases.Select(static d => ComposeService.Create(d) + "\n")));
        }

        yield return new("README.md", Guide());
    }

    private YamlMap Document(ComposeSecrets secrets, ComposeEdge edge)
    {
        var services = new YamlMap();
        foreach (var service in model.Services)
        {
            var writer = new ComposeService(model, service);
            if (writer.Migrations() is { } migrations)
            {
                services[ComposeService.MigrationsName(service)] = migrations;
            }

            services[service.Name] = writer.Write();
        }

        services[ComposeEdge.Name] = edge.Service();
        services[Dashboard] = DashboardService();
        var volumes = new YamlMap(model.Services.SelectMany(static s => s.Volumes.Where(static v => !v.IsScratch)
            .Select(v => KeyValuePair.Create<string, YamlNode>(ComposeService.VolumeName(s, v), new YamlMap()))));
        return new YamlMap
        {
            ["name"] = model.Name,
            ["services"] = services,
            ["networks"] = new YamlMap { [Inside] = new YamlMap { ["internal"] = true }, [Outside] = new YamlMap() },
            ["volumes"] = volumes.Count > 0 ? volumes : null,
            ["secrets"] = secrets.Definitions() is { Count: > 0 } definitions ? definitions : null,
        };
    }

    private YamlMap DashboardService() => new()
    {
        ["image"] = options.DashboardImage,
        ["profiles"] = YamlNode.Texts([Dashboard]),
        ["environment"] = new YamlMap { ["ASPNETCORE_URLS"] = "http://0.0.0.0:18888", ["DOTNET_DASHBOARD_OTLP_ENDPOINT_URL"] = "http://0.0.0.0:18889", ["DASHBOARD__OTLP__AUTHMODE"] = "Unsecured" },
        // On the loopback: its login token is in its log, and what it shows is for operators.
        ["ports"] = YamlNode.Texts(["127.0.0.1:${DASHBOARD_PORT:-18888}:18888"]),
        ["networks"] = YamlNode.Texts([Inside, Outside]),
        ["restart"] = "unless-stopped",
    };

    private string Guide() => $"""
        # {model.Name} {model.Version} with Docker Compose

        Written by `--operation publish`; the next time changes what it wrote and leaves everything else alone. Needs Compose 2.24.

        ```
        sh secrets.sh                       # once: makes what is missing under secrets/, which belongs into no repository
        docker compose up -d --wait
        ```

        | Variable | Default | What |
        |---|---|---|
        {string.Join("\n", ComposeEdge.Listeners(model).Select(l => $"| `{l.Variable}` | {l.Port} | {(l.Endpoint.IsExternal ? "public port" : "port on this machine's loopback")} of `{l.Service.Name}` |"))}
        | `DASHBOARD_PORT` | 18888 | port of the dashboard on this machine's loopback (`--profile dashboard`) |
        | `OTEL_EXPORTER_OTLP_ENDPOINT` | none | where telemetry goes, such as `http://dashboard:18889` |
        | `TAG` | {model.Services.FirstOrDefault(static s => s.Image.Project is not null)?.Image.Tag ?? model.Version} | tag of the images that are built from this repository |

        A secret of your own: write it to `secrets/values/<name>` (letters and digits) before `secrets.sh` runs. To change one, write the new value, run
        `secrets.sh` and `docker compose up -d --force-recreate`. Names: {string.Join(", ", model.Secrets.Select(static s => $"`{s.Name}`"))}.

        `docker compose down` keeps the data; `down --volumes` does not. How many run: `docker compose up -d --scale {model.Services.FirstOrDefault(static s => s.Replicas > 1)?.Name ?? "service"}=5`.
        """.ReplaceLineEndings("\n") + "\n";
}
