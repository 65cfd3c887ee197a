using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using OpenPlatform.Hosting.Publishing.Azure.Modules;
using OpenPlatform.Hosting.Publishing.Yaml;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;

namespace OpenPlatform.Hosting.Publishing.Azure;

/// <summary>
/// What a team owns from then on: <c>azure.yaml</c> for azd, and below <c>infra</c> the parts that last (<c>main.bicep</c>) and a file for each service, which azd deploys
/// with its image.
/// </summary>
/// <param name="root">The folder that <c>azure.yaml</c> is copied to, from which it names the projects.</param>
internal sealed class AzureFiles(DeploymentModel model, string root)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };

    private readonly AzureValues _values = new(model);

    public IEnumerable<DeploymentFile> Write()
    {
        var stores = new StoreModules(_values);
        List<(string Path, BicepFile? File)> files =
        [
            ("main.bicep", Main(stores)),
            ("modules/network.bicep", new NetworkModule(_values).File()),
            ("modules/environment.bicep", PlatformModules.Environment()),
            ("modules/registry.bicep", PlatformModules.Registry()),
            ("modules/vault.bicep", SecretModules.Vault(_values)),
            ("modules/identity.bicep", SecretModules.Identity()),
            ("modules/storage.bicep", stores.Storage()),
        ];
        if (model.Services.FirstOrDefault(s => s.Name == "main" || Migrated.Any(m => AzureNames.Migrations(m) == s.Name) || (AzureValues.IsManaged(s) && files.Any(f => f.Path == StoreModules.FileOf(s)))) is { } taken)
        {
            throw new Aspire.Hosting.DistributedApplicationException($"A service cannot be named '{taken.Name}' on Azure: a file of the deployment has that name.");
        }

        files.AddRange(_values.Servers.Select(s => (StoreModules.FileOf(s), (BicepFile?)stores.Server(s))));
        files.AddRange(_values.Apps.Select(s => ($"{s.Name}.bicep", (BicepFile?)new ContainerApp(_values, s).File())));
        files.AddRange(Migrated.Select(s => ($"{AzureNames.Migrations(s)}.bicep", (BicepFile?)new ContainerApp(_values, s).MigrationFile())));
        foreach (var (path, file) in files)
        {
            if (file is not null)
            {
                yield return new($"infra/{path}", BicepWriter.Write(file));
            }
        }

        yield return new("infra/main.parameters.json", Parameters(
            [("environmentName", "AZURE_ENV_NAME"), ("location", "AZURE_LOCATION"), .. _values.Supplied().Select(static p => (AzureNames.Symbol(p.Name), AzureNames.Variable(p)))]));
        foreach (var service in Built)
        {
            yield return new($"infra/{service.Name}.parameters.json", Parameters(new ContainerApp(_values, service).Parameters().Select(static p => (p.Parameter.Name, p.Variable))));
        }

        foreach (var service in Migrated)
        {
            yield return new($"infra/{AzureNames.Migrations(service)}.parameters.json", Parameters(new ContainerApp(_values, service).MigrationParameters().Select(static p => (p.Parameter.Name, p.Variable))));
        }

        yield return new("azure.yaml", YamlWriter.Write(Project()));
        yield return new("infra/README.md", Guide());
    }

    private IEnumerable<ServiceModel> Migrated => Built.Where(static s => s.Migrations is not null);

    private IEnumerable<ServiceModel> Built => _values.Apps.Where(static s => s.Image.Project is not null);

    private BicepFile Main(StoreModules stores)
    {
        var secrets = _values.Supplied().ToArray();
        var postgres = _values.Servers.Any(static s => s.Kind == ServiceKind.Postgres);
        var redis = _values.Servers.Any(static s => s.Kind == ServiceKind.Redis);
        var file = new BicepFile($"{model.Name}: everything that lasts. The services themselves are in the files beside this one, which azd deploys with their images.", "subscription")
        {
            new BicepParameter("environmentName", "string", "Name of azd's environment; resources are named after it.", Bounds: [("minLength", 1), ("maxLength", 64)]),
            new BicepParameter("location", "string", "Region; with zones, unless zoneRedundant is false."),
            new BicepParameter("zoneRedundant", "bool", "The loss of a zone costs nothing but the instances in it.", true),
            new BicepParameter("addressPrefix", "string", "Of the network, a /16 or wider.", "10.0.0.0/16"),
            new BicepParameter("logRetentionDays", "int", "How long logs are kept.", 30, false, ("minValue", 30), ("maxValue", 730)),
        };
        if (postgres)
        {
            file.Add(new BicepParameter("postgresVersion", "string", "Major version of Postgres.", PostgresVersion()));
            file.Add(new BicepParameter("postgresSku", "string", "Size of the database server, General Purpose.", "Standard_D2ds_v5"));
            file.Add(new BicepParameter("postgresStorageGiB", "int", "Storage of the database server at the start; it grows by itself.", 64, false, ("minValue", 32)));
            file.Add(new BicepParameter("backupRetentionDays", "int", "How far back any second of the database can be restored.", 14, false, ("minValue", 7), ("maxValue", 35)));
            file.Add(new BicepParameter("geoRedundantBackup", "bool", "Backups in the paired region too. Decided once, when the server is made.", false));
        }

        if (redis)
        {
            file.Add(new BicepParameter("redisSku", "string", "Size of Redis.", "Balanced_B1"));
        }

        file.Add(secrets.Select(static p => new BicepParameter(AzureNames.Symbol(p.Name), "string", $"Secret {p.Name}; empty: what the vault holds stays.", "", Secure: true)));
        file.Add(new BicepVariable("token", Call("uniqueString", Symbol("subscription().id"), Symbol("environmentName"), Symbol("location"))));
        file.Add(new BicepVariable("tags", new BicepMap { ["azd-env-name"] = Symbol("environmentName") }));
        file.Add(new BicepResource("group", AzureTypes.ResourceGroup, new() { ["name"] = Text("rg-", Symbol("environmentName")), ["location"] = Symbol("location"), ["tags"] = Symbol("tags") }));
        file.Add(Module("network", "modules/network.bicep", ("addressPrefix", Symbol("addressPrefix"))));
        file.Add(Module("environment", "modules/environment.bicep",
            ("subnetId", Symbol("network.outputs.appsSubnetId")), ("zoneRedundant", Symbol("zoneRedundant")), ("logRetentionDays", Symbol("logRetentionDays"))));
        file.Add(Module("registry", "modules/registry.bicep"));
        file.Add(Module("vault", "modules/vault.bicep",
            [("subnetId", Symbol("network.outputs.endpointsSubnetId")), ("zoneId", Symbol("network.outputs.vaultZoneId")), .. _values.Secrets().Select(s => (AzureNames.Symbol(s.Name), Secret(s)))]));
        file.Add(_values.Servers.Select(Server));
        if (stores.Storage() is not null)
        {
            file.Add(Module("storage", "modules/storage.bicep", ("environmentName", Symbol("environment.outputs.name")), ("zoneRedundant", Symbol("zoneRedundant"))));
        }

        file.Add(_values.Apps.Select(Identity));
        file.Add(_values.Apps.Except(Built).Select(App));
        file.Add(new BicepOutput("AZURE_RESOURCE_GROUP", "string", Symbol("group.name"), "Where everything is."));
        file.Add(new BicepOutput("AZURE_CONTAINER_APPS_ENVIRONMENT_NAME", "string", Symbol("environment.outputs.name"), "Where the services run."));
        file.Add(new BicepOutput("AZURE_CONTAINER_REGISTRY_ENDPOINT", "string", Symbol("registry.outputs.endpoint"), "Where azd pushes images to."));
        file.Add(new BicepOutput("AZURE_KEY_VAULT_ENDPOINT", "string", Symbol("vault.outputs.endpoint"), "Where services read their secrets."));
        file.Add(new BicepOutput("AZURE_APPS_NETWORK", "string", Symbol("network.outputs.appsPrefix"), "Where calls of the environment come from."));
        file.Add(Built.Select(s => new BicepOutput($"SERVICE_{AzureNames.Variable(s.Name)}_IDENTITY_ID", "string", Symbol(IdentityOf(s)).Get("outputs.id"), $"As whom {s.Name} runs.")));
        return file;
    }

    private BicepValue Secret(VaultSecret secret)
    {
        var value = AzureValues.Render(secret.Value, _values.Address(Symbol("environment.outputs.domain")));
        // Made of a secret that is not given it would be half a secret.
        return value is BicepExpression ? value
            : Choose(new(string.Join(" || ", secret.Value.Parameters.Where(static p => p.Secret).Select(static p => $"empty({AzureNames.Symbol(p.Name)})").Distinct())), "", value);
    }

    private BicepModule Server(ServiceModel server) => server.Kind == ServiceKind.Postgres
        ? Module(AzureNames.Symbol(server.Name), StoreModules.FileOf(server),
            ("vaultName", Symbol("vault.outputs.name")), ("subnetId", Symbol("network.outputs.databasesSubnetId")), ("zoneId", Symbol("network.outputs.postgresZoneId")),
            ("zoneRedundant", Symbol("zoneRedundant")), ("sku", Symbol("postgresSku")), ("storageGiB", Symbol("postgresStorageGiB")), ("backupRetentionDays", Symbol("backupRetentionDays")),
            ("geoRedundantBackup", Symbol("geoRedundantBackup")), ("version", Symbol("postgresVersion")), (AzureNames.Symbol(AzureValues.Password(server)!.Name), Symbol(AzureNames.Symbol(AzureValues.Password(server)!.Name))))
        : Module(AzureNames.Symbol(server.Name), StoreModules.FileOf(server),
            ("vaultName", Symbol("vault.outputs.name")), ("subnetId", Symbol("network.outputs.endpointsSubnetId")), ("zoneId", Symbol("network.outputs.redisZoneId")), ("sku", Symbol("redisSku")));

    /// <summary>After the servers, which put connection strings into the vault.</summary>
    private BicepModule Identity(ServiceModel service)
    {
        var secrets = _values.Variables(service).Select(static v => v.Secret).OfType<string>().Distinct().ToArray();
        var servers = _values.Servers.Where(s => _values.Connections(s).Any(c => secrets.Contains(c.Name))).ToArray();
        var body = Body(withToken: false,
            ("name", Text($"id-{service.Name}-", Symbol("token"))), ("registryName", Symbol("registry.outputs.name")), ("vaultName", Symbol("vault.outputs.name")), ("secrets", Texts(secrets)));
        body["dependsOn"] = servers.Length == 0 ? null : List(servers.Select(static s => Symbol(AzureNames.Symbol(s.Name))));
        return new(IdentityOf(service), "modules/identity.bicep", body);
    }

    /// <summary>A service with somebody else's image: there is nothing to build, so it comes with the rest.</summary>
    private BicepModule App(ServiceModel service)
    {
        var given = new ContainerApp(_values, service).Parameters().Select(p => (p.Parameter.Name, (BicepValue)(p.Variable switch
        {
            "AZURE_ENV_NAME" => Symbol("environmentName"),
            "AZURE_LOCATION" => Symbol("location"),
            "AZURE_CONTAINER_APPS_ENVIRONMENT_NAME" => Symbol("environment.outputs.name"),
            "AZURE_KEY_VAULT_ENDPOINT" => Symbol("vault.outputs.endpoint"),
            "AZURE_APPS_NETWORK" => Symbol("network.outputs.appsPrefix"),
            _ => Symbol(IdentityOf(service)).Get("outputs.id"),
        })));
        var body = new BicepMap { ["scope"] = Symbol("group"), ["params"] = new BicepMap(given.Select(static g => KeyValuePair.Create(g.Name, g.Item2))) };
        body["dependsOn"] = service.Volumes.Any(v => ContainerApp.IsShared(service, v)) ? List([Symbol("storage")]) : null;
        return new(AzureNames.Symbol($"{service.Name}-app"), $"{service.Name}.bicep", body);
    }

    private static BicepModule Module(string symbol, string path, params (string Name, BicepValue Value)[] parameters) => new(symbol, path, Body(withToken: true, parameters));

    private static BicepMap Body(bool withToken, params (string Name, BicepValue Value)[] parameters)
    {
        var given = new BicepMap { ["location"] = Symbol("location"), ["tags"] = Symbol("tags"), ["token"] = withToken ? Symbol("token") : null };
        foreach (var (name, value) in parameters)
        {
            given[name] = value;
        }

        return new() { ["scope"] = Symbol("group"), ["params"] = given };
    }

    private static string IdentityOf(ServiceModel service) => AzureNames.Symbol($"{service.Name}-identity");

    private static string Parameters(IEnumerable<(string Name, string Variable)> parameters) => new JsonObject
    {
        ["$schema"] = "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        ["contentVersion"] = "1.0.0.0",
        ["parameters"] = new JsonObject(parameters.Select(static p => KeyValuePair.Create<string, JsonNode?>(p.Name, new JsonObject { ["value"] = $"${{{p.Variable}}}" }))),
    }.ToJsonString(Indented) + "\n";

    private YamlMap Project() => new()
    {
        ["name"] = model.Name,
        // The first that deploys a service by a file of its own.
        ["requiredVersions"] = new YamlMap { ["azd"] = ">= 1.20.0" },
        ["infra"] = new YamlMap { ["provider"] = "bicep", ["path"] = "infra", ["module"] = "main" },
        ["services"] = new YamlMap(Built.Select(static s => (s.Name, Service: s)).Concat(Migrated.Select(static s => (Name: AzureNames.Migrations(s), Service: s))).Select(s => KeyValuePair.Create<string, YamlNode>(s.Name, new YamlMap
        {
            ["project"] = Path.GetRelativePath(root, Path.GetDirectoryName(s.Service.Image.Project)!).Replace('\\', '/'),
            ["language"] = "dotnet",
            ["host"] = "containerapp",
        }))),
    };

    /// <summary>The major version that the AppHost runs.</summary>
    private string PostgresVersion() => _values.Servers.First(static s => s.Kind == ServiceKind.Postgres).Image.Tag.Split('.', '-')[0] is var major && int.TryParse(major, out _) ? major : "18";

    private string Guide()
    {
        var supplied = _values.Supplied().ToArray();
        var made = model.Secrets.Except(supplied).Where(p => _values.Servers.Any(s => s.Environment.Any(v => v.Value.Parameters.Contains(p)))).ToArray();
        return $"""
            # {model.Name} {model.Version} on Azure Container Apps

            Written by `--operation publish`; the next time changes what it wrote and leaves everything else alone. Needs azd 1.20.

            | File | What |
            |---|---|
            | `azure.yaml` | what azd builds and deploys; it belongs into the root of the repository, and this folder beside it |
            | `infra/main.bicep`, `infra/modules` | what lasts: network, environment, logs, registry, vault, servers, identities (`azd provision`) |
            | {string.Join(", ", _values.Apps.Select(static s => $"`infra/{s.Name}.bicep`"))} | a service each (`azd deploy`) |{string.Concat(Migrated.Select(static s => $"\n| `infra/{AzureNames.Migrations(s)}.bicep` | a job that migrates by hand; a rollout of `{s.Name}` migrates by itself |"))}
            | `infra/*.parameters.json` | which variable of azd's environment fills which parameter. Whatever else `main.bicep` asks for can be set here |

            ## Secrets

            No file holds one. `azd provision` takes them from variables of the process and puts them into Key Vault, where the services read them. The first time all of
            them are needed; afterwards one that is not set stays as it is.

            ```
            {string.Join("\n", supplied.Select(static p => $"export {AzureNames.Variable(p)}=\"$(openssl rand -base64 {Math.Max(96, (p.Length ?? 32) * 2)} | tr -dc A-Za-z0-9 | head -c {p.Length ?? 32})\""))}
            ```

            Keep the values where you keep secrets, and have them set from there by whatever runs azd. `azd env set` would write them into a file in clear text; `azd env set-secret`
            keeps a reference to a vault.

            | Secret | Variable | What |
            |---|---|---|
            {string.Join("\n", supplied.Select(p => $"| `{p.Name}` | `{AzureNames.Variable(p)}` | {About(p)} |").Concat(made.Select(static p => $"| `{p.Name}` | none | a key that Azure makes |")))}

            ## First time, and every other time

            ```
            azd env new production
            azd provision            # after the variables above are set
            azd deploy
            ```
            """.ReplaceLineEndings("\n") + "\n";
    }

    private string About(ParameterModel parameter) => parameter.Description is { Length: > 0 } description ? description
        : $"used by {string.Join(", ", model.Services.Where(s => s.Environment.Any(v => v.Value.Parameters.Contains(parameter))).Select(static s => s.Name))}";
}
