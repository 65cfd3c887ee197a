using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;
using static OpenPlatform.Hosting.Publishing.Azure.Modules.ModuleParts;

namespace OpenPlatform.Hosting.Publishing.Azure.Modules;

/// <summary>What keeps something: databases, cache, shares of files.</summary>
internal sealed class StoreModules(AzureValues values)
{
    public const int PostgresPort = 5432, RedisPort = 10000;

    /// <summary>Of the databases. Not the model's: Azure refuses some names, such as "admin".</summary>
    private const string Login = "platformowner";

    private static readonly BicepParameter VaultName = new("vaultName", "string", "The vault that the connection strings are put into.");

    public static string FileOf(ServiceModel server) => $"modules/{server.Name}.bicep";

    public BicepFile Server(ServiceModel server) => server.Kind == ServiceKind.Postgres ? Postgres(server) : Redis(server);

    /// <summary>For volumes of containers that outlive an instance: a share of files each, copied over three zones.</summary>
    public BicepFile? Storage()
    {
        var volumes = (from service in values.Apps from volume in service.Volumes where ContainerApp.IsShared(service, volume) select (service, volume)).ToArray();
        if (volumes.Length == 0)
        {
            return null;
        }

        var file = new BicepFile("Volumes: shares of files that the environment mounts.")
        {
            Location, Tags, Token(),
            new BicepParameter("environmentName", "string", "The environment that mounts them."),
            new BicepParameter("zoneRedundant", "bool", "Copies in three zones."),
            new BicepResource("storage", AzureTypes.Storage, WithSku(new()
            {
                ["name"] = Text("st", Symbol("token")),
                ["location"] = Symbol("location"),
                ["tags"] = Symbol("tags"),
                ["kind"] = "StorageV2",
            }, Choose(Symbol("zoneRedundant"), "Standard_ZRS", "Standard_LRS"), new BicepMap
            {
                ["minimumTlsVersion"] = "TLS1_2",
                ["supportsHttpsTrafficOnly"] = true,
                ["allowBlobPublicAccess"] = false,
            })),
            new BicepResource("files", AzureTypes.FileService, new()
            {
                ["parent"] = Symbol("storage"),
                ["name"] = "default",
                ["properties"] = new BicepMap { ["shareDeleteRetentionPolicy"] = new BicepMap { ["enabled"] = true, ["days"] = 14 } },
            }),
            new BicepResource("environment", AzureTypes.Environment, new() { ["name"] = Symbol("environmentName") }, Existing: true),
        };
        foreach (var (service, volume) in volumes)
        {
            var name = AzureNames.Storage(service, volume);
            var share = AzureNames.Symbol($"{name}-share");
            file.Add(new BicepResource(share, AzureTypes.FileShare, new()
            {
                ["parent"] = Symbol("files"),
                ["name"] = name,
                ["properties"] = new BicepMap { ["shareQuota"] = volume.SizeGiB },
            }));
            file.Add(new BicepResource(AzureNames.Symbol($"{name}-mount"), AzureTypes.EnvironmentStorage, new()
            {
                ["parent"] = Symbol("environment"),
                ["name"] = name,
                ["properties"] = new BicepMap
                {
                    ["azureFile"] = new BicepMap
                    {
                        ["accountName"] = Symbol("storage.name"),
                        ["accountKey"] = Symbol("storage.listKeys().keys[0].value"),
                        ["shareName"] = Symbol(share).Get("name"),
                        ["accessMode"] = volume.IsReadOnly ? "ReadOnly" : "ReadWrite",
                    },
                },
            }));
        }

        return file;
    }

    /// <summary>In a subnet of its own, with a second server in another zone that has every commit, and with backups from which any second can be restored.</summary>
    private BicepFile Postgres(ServiceModel server)
    {
        var password = AzureValues.Password(server)!;
        var file = new BicepFile($"{server.Name}: a PostgreSQL flexible server.")
        {
            Location, Tags, Token(), VaultName,
            new BicepParameter("subnetId", "string", "The subnet of database servers."),
            new BicepParameter("zoneId", "string", "The private zone of database servers."),
            new BicepParameter("zoneRedundant", "bool", "A standby in another zone; without it, in the same."),
            new BicepParameter("sku", "string", "Of General Purpose: Standard_D2ds_v5 has 2 cores and 8 GiB."),
            new BicepParameter("storageGiB", "int", "At the start; it grows by itself."),
            new BicepParameter("backupRetentionDays", "int", "How far back any second can be restored."),
            new BicepParameter("geoRedundantBackup", "bool", "Backups in the paired region too; cannot be changed later."),
            new BicepParameter("version", "string", "Major version of Postgres."),
            new BicepParameter(AzureNames.Symbol(password.Name), "string", $"Password {password.Name}; empty: it stays as it is.", Secure: true),
            new BicepVariable("login", Login),
            new BicepResource("server", AzureTypes.Postgres, WithSku(new()
            {
                ["name"] = Text($"{server.Name}-", Symbol("token")),
                ["location"] = Symbol("location"),
                ["tags"] = Symbol("tags"),
            }, Symbol("sku"), new BicepMap
            {
                ["version"] = Symbol("version"),
                ["administratorLogin"] = Symbol("login"),
                ["administratorLoginPassword"] = Choose(Call("empty", Symbol(AzureNames.Symbol(password.Name))), Symbol("null"), Symbol(AzureNames.Symbol(password.Name))),
                ["authConfig"] = new BicepMap { ["passwordAuth"] = "Enabled", ["activeDirectoryAuth"] = "Disabled" },
                ["highAvailability"] = new BicepMap { ["mode"] = Choose(Symbol("zoneRedundant"), "ZoneRedundant", "SameZone") },
                ["backup"] = new BicepMap { ["backupRetentionDays"] = Symbol("backupRetentionDays"), ["geoRedundantBackup"] = Choose(Symbol("geoRedundantBackup"), "Enabled", "Disabled") },
                ["storage"] = new BicepMap { ["storageSizeGB"] = Symbol("storageGiB"), ["autoGrow"] = "Enabled" },
                ["network"] = new BicepMap { ["delegatedSubnetResourceId"] = Symbol("subnetId"), ["privateDnsZoneArmResourceId"] = Symbol("zoneId"), ["publicNetworkAccess"] = "Disabled" },
            }, tier: "GeneralPurpose")),
            server.Databases.Select((d, i) => new BicepResource($"database{i}", AzureTypes.PostgresDatabase, new()
            {
                ["parent"] = Symbol("server"),
                ["name"] = d.CreationScript is null ? d.Name : throw new Aspire.Hosting.DistributedApplicationException($"Database '{d.Name}' has a creation script, which Azure cannot run; let the service create what it needs."),
                ["properties"] = new BicepMap { ["charset"] = "UTF8", ["collation"] = "en_US.utf8" },
            })),
            new BicepResource("vault", AzureTypes.Vault, new() { ["name"] = Symbol("vaultName") }, Existing: true),
        };
        // The certificate is checked: its name too.
        foreach (var connection in values.Connections(server))
        {
            var text = AzureValues.Render(connection.Value, part => (part, Symbol("server.properties.fullyQualifiedDomainName"), part.Endpoint.Port), static known => known.Replace("Username=postgres", $"Username={Login}", StringComparison.Ordinal));
            file.Add(Secret(AzureNames.Symbol(connection.Name), connection.Name, Text(text, ";Ssl Mode=VerifyFull"), Symbol("vault"), Call("empty", Symbol(AzureNames.Symbol(password.Name)))));
        }

        return file;
    }

    /// <summary>Azure Managed Redis, two nodes in two zones. One endpoint for all keys, because the services' client knows no cluster.</summary>
    private BicepFile Redis(ServiceModel server)
    {
        var file = new BicepFile($"{server.Name}: Azure Managed Redis.")
        {
            Location, Tags, Token(), VaultName,
            new BicepParameter("subnetId", "string", "The subnet of private endpoints."),
            new BicepParameter("zoneId", "string", "The private zone of Redis."),
            new BicepParameter("sku", "string", "Balanced_B1 has 1 GB."),
            new BicepResource("redis", AzureTypes.Redis, WithSku(new()
            {
                ["name"] = Text($"{server.Name}-", Symbol("token")),
                ["location"] = Symbol("location"),
                ["tags"] = Symbol("tags"),
            }, Symbol("sku"), new BicepMap { ["minimumTlsVersion"] = "1.2", ["highAvailability"] = "Enabled", ["publicNetworkAccess"] = "Disabled" })),
            new BicepResource("database", AzureTypes.RedisDatabase, new()
            {
                ["parent"] = Symbol("redis"),
                ["name"] = "default",
                ["properties"] = new BicepMap
                {
                    ["port"] = RedisPort,
                    ["clientProtocol"] = "Encrypted",
                    ["clusteringPolicy"] = "NoCluster",
                    ["evictionPolicy"] = "NoEviction",
                    ["accessKeysAuthentication"] = "Enabled",
                },
            }),
            Endpoint("redis", "redisEnterprise"),
            new BicepResource("vault", AzureTypes.Vault, new() { ["name"] = Symbol("vaultName") }, Existing: true),
        };
        foreach (var connection in values.Connections(server))
        {
            var key = Symbol("database.listKeys().primaryKey");
            var text = Replaced(AzureValues.Render(connection.Value, part => (part, Symbol("redis.properties.hostName"), RedisPort)), connection.Value, key);
            file.Add(Secret(AzureNames.Symbol(connection.Name), connection.Name, Text(text, ",ssl=true"), Symbol("vault"), unless: null));
        }

        return file;
    }

    /// <summary>The model's secret parameters in a text become the key that Azure made; a text without one gets it.</summary>
    private static BicepValue Replaced(BicepValue text, ValueModel value, BicepExpression key)
    {
        var secrets = value.Parameters.Where(static p => p.Secret).Select(static p => AzureNames.Symbol(p.Name)).ToHashSet(StringComparer.Ordinal);
        return secrets.Count == 0 ? Text(text, ",password=", key)
            : Text([.. ((BicepText)text).Parts.Select(p => p is BicepExpression expression && secrets.Contains(expression.Code) ? key : p)]);
    }
}
