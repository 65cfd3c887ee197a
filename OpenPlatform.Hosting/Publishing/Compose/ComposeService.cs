using System.Globalization;
using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Compose;

/// <summary>One service of the model as one of Compose.</summary>
internal sealed class ComposeService(DeploymentModel model, ServiceModel service)
{
    /// <summary>
    /// Of the folders of .NET's images the one that belongs to their user. A new volume gets the owner of the folder at its place, and there is nobody
    /// else to give it one: state lives there.
    /// </summary>
    private const string Home = "/home/app", State = Home + "/state";

    internal static string VolumeName(ServiceModel service, VolumeModel volume) => $"{service.Name}-{volume.Name}";

    internal static string MigrationsName(ServiceModel service) => $"{service.Name}-migrations";

    internal static string InitFile(ServiceModel server) => $"{server.Name}/databases.sql";

    internal static string Create(DatabaseModel database) => database.CreationScript ?? $"CREATE DATABASE \"{database.Name.Replace("\"", "\"\"", StringComparison.Ordinal)}\";";

    /// <summary>How others reach an endpoint: Compose's name service knows every service by its name.</summary>
    internal static (string Host, int Port) Address(EndpointPart part) => (part.Service, part.Endpoint.Port);

    public YamlMap Write()
    {
        var written = Base(service.Arguments.Count > 0 ? service.Arguments : null);
        written["deploy"] = new YamlMap
        {
            ["replicas"] = service.Replicas,
            ["resources"] = new YamlMap
            {
                ["limits"] = new YamlMap { ["memory"] = $"{service.Resources.MemoryMiB}M" },
                ["reservations"] = new YamlMap { ["cpus"] = service.Resources.Cpu.ToString(CultureInfo.InvariantCulture), ["memory"] = $"{service.Resources.MemoryMiB}M" },
            },
        };
        // Compose scales by hand; how far is for whoever does.
        written["x-scale"] = service.Autoscale is { } bounds ? new YamlMap { ["min"] = bounds.Min, ["max"] = bounds.Max } : null;
        written["healthcheck"] = HealthCheck();
        written["depends_on"] = Dependencies(Waits().Concat(service.Migrations is null ? [] : [(MigrationsName(service), "service_completed_successfully")]));
        written["restart"] = "unless-stopped";
        written["stop_grace_period"] = $"{(int)service.Drain.TotalSeconds + 9}s";
        return written;
    }

    /// <summary>Runs once before the service and ends; null: nothing to migrate.</summary>
    public YamlMap? Migrations()
    {
        if (service.Migrations is not { } arguments)
        {
            return null;
        }

        var written = Base([.. arguments.Select(ValueModel.Of)]);
        written["depends_on"] = Dependencies(Waits());
        written["restart"] = "on-failure:5";
        return written;
    }

    private YamlMap Base(IReadOnlyList<ValueModel>? arguments)
    {
        var isProject = service.Kind == ServiceKind.Project;
        return new YamlMap
        {
            ["image"] = Image(),
            ["entrypoint"] = service.Entrypoint is { } entrypoint ? YamlNode.Texts([entrypoint]) : null,
            ["command"] = arguments is null ? null : YamlNode.Texts(ComposeSecrets.Command(service, arguments)),
            ["environment"] = Environment() is { Count: > 0 } environment ? environment : null,
            ["env_file"] = ComposeSecrets.EnvironmentFile(service) is { } file ? YamlNode.Texts([file]) : null,
            ["secrets"] = ComposeSecrets.Of(service) is { Count: > 0 } mounted ? mounted : null,
            ["volumes"] = Volumes() is { Count: > 0 } volumes ? volumes : null,
            ["networks"] = YamlNode.Texts(service.CallsOutside ? [ComposeFiles.Inside, ComposeFiles.Outside] : [ComposeFiles.Inside]),
            ["read_only"] = isProject ? (YamlNode)true : null,
            ["tmpfs"] = isProject ? YamlNode.Texts(["/tmp"]) : null,
            ["cap_drop"] = isProject ? YamlNode.Texts(["ALL"]) : null,
            ["security_opt"] = YamlNode.Texts(["no-new-privileges:true"]),
        };
    }

    private string Image() => service.Image.Project is null ? service.Image.Reference : $"{service.Image.Repository}:${{TAG:-{service.Image.Tag}}}";

    private YamlMap Environment()
    {
        var environment = new YamlMap(service.Environment.Where(static v => !v.Value.HasSecret)
            .Select(v => KeyValuePair.Create<string, YamlNode>(v.Name, Escape(v.Value.Render(Address, static _ => "").Replace(DeploymentModelBuilder.StatePath, State, StringComparison.Ordinal))!)));
        if (service.Kind == ServiceKind.Project)
        {
            environment["OTEL_SERVICE_NAME"] = service.Name;
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "${OTEL_EXPORTER_OTLP_ENDPOINT:-}";
        }

        foreach (var (name, value) in ComposeSecrets.FileVariables(service))
        {
            environment[name] = value;
        }

        return environment;
    }

    private YamlList Volumes()
    {
        var volumes = new YamlList();
        foreach (var volume in service.Volumes)
        {
            volumes.Add(volume.IsScratch
                ? new YamlMap { ["type"] = "tmpfs", ["target"] = volume.Path }
                : new YamlMap { ["type"] = "volume", ["source"] = VolumeName(service, volume), ["target"] = volume.Path == DeploymentModelBuilder.StatePath ? Home : volume.Path, ["read_only"] = volume.IsReadOnly ? (YamlNode)true : null });
        }

        if (service.Databases.Count > 0)
        {
            volumes.Add(new YamlMap { ["type"] = "bind", ["source"] = $"./{InitFile(service)}", ["target"] = "/docker-entrypoint-initdb.d/databases.sql", ["read_only"] = true });
        }

        return volumes;
    }

    /// <summary>A GET is asked by the service's own program: its image holds no other (docs/deploy.md).</summary>
    private YamlMap? HealthCheck()
    {
        if (service.Probes?.Readiness is not { } probe)
        {
            return null;
        }

        if (probe.Path is not null && service.Kind != ServiceKind.Project)
        {
            return null;
        }

        string[] command = probe.Command is { } own
            ? ["CMD", .. own]
            : ["CMD", "dotnet", $"/app/{Path.GetFileNameWithoutExtension(service.Image.Project)}.dll", "--probe", $"http://127.0.0.1:{probe.Port}{probe.Path}"];
        return new YamlMap
        {
            ["test"] = YamlNode.Texts(command.Select(static word => Escape(word)!)),
            ["interval"] = "5s",
            ["timeout"] = "5s",
            ["retries"] = 3,
            ["start_period"] = "120s",
        };
    }

    private IEnumerable<(string Service, string Condition)> Waits() => service.WaitsFor
        .Select(name => model.Services.FirstOrDefault(s => string.Equals(s.Name, name, StringComparison.OrdinalIgnoreCase))).OfType<ServiceModel>()
        .Select(static other => (other.Name, other.Probes is null ? "service_started" : "service_healthy"));

    private static YamlMap? Dependencies(IEnumerable<(string Service, string Condition)> dependencies)
    {
        var written = new YamlMap(dependencies.Select(static d => KeyValuePair.Create<string, YamlNode>(d.Service, new YamlMap { ["condition"] = d.Condition })));
        return written.Count > 0 ? written : null;
    }

    /// <summary>Compose fills <c>$</c>; two of them are one.</summary>
    internal static string Escape(string text) => text.Replace("$", "$$", StringComparison.Ordinal);
}
