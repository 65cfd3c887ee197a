using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;

namespace OpenPlatform.Hosting.Publishing.Azure;

/// <summary>What the container apps stand on, a file each.</summary>
internal sealed class Modules(AzureValues values)
{
    internal const int PostgresPort = 5432, RedisPort = 10000;

    // Roles that Azure knows by these numbers.
    private const string AcrPull = "7f951dda-4ed3-4680-a7ca-43fe172d538d", KeyVaultSecretsUser = "4633458b-17de-408a-b874-0445c86b69e6";

    /// <summary>Of the databases. Not the model's: Azure refuses some names, such as "admin".</summary>
    private const string Login = "platformowner";

    internal static readonly BicepParameter
        Location = new("location", "string", "Region."),
        Tags = new("tags", "object", "Of every resource; azd finds its environment by them.");

    private static readonly BicepParameter VaultName = new("vaultName", "string", "The vault that the connection strings are put into.");

    private bool HasPostgres => values.Servers.Any(static s => s.Kind == ServiceKind.Postgres);
    private bool HasRedis => values.Servers.Any(static s => s.Kind == ServiceKind.Redis);

    public static string ServerFile(ServiceModel server) => $"modules/{server.Name}.bicep";

    /// <summary>Who may talk to whom, as far as networks can tell it here: only the subnet of the apps reaches databases, cache and vault, each at its port.</summary>
    public BicepFile Network()
    {
        var zones = new List<(string Symbol, BicepValue Name, string Output)> { ("vaultZone", "privatelink.vaultcore.azure.net", "vaultZoneId") };
        if (HasPostgres)
        {
            zones.Add(("postgresZone", Text(Symbol("token"), ".private.postgres.database.azure.com"), "postgresZoneId"));
        }

        if (HasRedis)
        {
            zones.Add(("redisZone", "privatelink.redis.azure.net", "redisZoneId"));
        }

        var file = new BicepFile("The network: a subnet for the apps, one for the databases, one for private endpoints.")
        {
            Location, Tags, Token(),
            new BicepParameter("addressPrefix", "string", "Of the whole network, a /16 or wider; not within 100.100.0.0/16, which the platform keeps."),
            new BicepVariable("appsPrefix", Call("cidrSubnet", Symbol("addressPrefix"), 23, 0)),
            HasPostgres ? new BicepVariable("databasesPrefix", Call("cidrSubnet", Symbol("addressPrefix"), 27, 16)) : null,
            new BicepVariable("endpointsPrefix", Call("cidrSubnet", Symbol("addressPrefix"), 27, 17)),
            HasPostgres ? Guard("databasesGuard", "databases", [Symbol("appsPrefix"), Symbol("databasesPrefix")], [PostgresPort, 6432]) : null,
            Guard("endpointsGuard", "endpoints", [Symbol("appsPrefix")], HasRedis ? [443, RedisPort] : [443]),
            new BicepResource("network", AzureTypes.Network, Named("vnet", new BicepMap
            {
                ["addressSpace"] = new BicepMap { ["addressPrefixes"] = new BicepList { Symbol("addressPrefix") } },
                ["subnets"] = new BicepList
                {
                    Subnet("apps", Symbol("appsPrefix"), null, "Microsoft.App/environments"),
                    HasPostgres ? Subnet("databases", Symbol("databasesPrefix"), "databasesGuard", "Microsoft.DBforPostgreSQL/flexibleServers") : null,
                    Subnet("endpoints", Symbol("endpointsPrefix"), "endpointsGuard", null),
                },
            })),
        };
        foreach (var (symbol, name, _) in zones)
        {
            file.Add(new BicepResource(symbol, AzureTypes.PrivateZone, new() { ["name"] = name, ["location"] = "global", ["tags"] = Symbol("tags") }));
            file.Add(new BicepResource($"{symbol}Link", AzureTypes.PrivateZoneLink, new()
            {
                ["parent"] = Symbol(symbol),
                ["name"] = Text("link-", Symbol("token")),
                ["location"] = "global",
                ["properties"] = new BicepMap { ["registrationEnabled"] = false, ["virtualNetwork"] = new BicepMap { ["id"] = Symbol("network.id") } },
            }));
        }

        file.Add(new BicepOutput("appsSubnetId", "string", SubnetId("apps"), "For the environment."));
        file.Add(new BicepOutput("appsPrefix", "string", Symbol("appsPrefix"), "Where calls of the environment come from."));
        if (HasPostgres)
        {
            file.Add(new BicepOutput("databasesSubnetId", "string", SubnetId("databases"), "For database servers."));
        }

        file.Add(new BicepOutput("endpointsSubnetId", "string", SubnetId("endpoints"), "For private endpoints."));
        foreach (var (symbol, _, output) in zones)
        {
            file.Add(new BicepOutput(output, "string", Symbol(symbol).Get("id"), "A private zone of names."));
        }

        return file;
    }

    public static BicepFile Environment() => new("The environment of the container apps: logs, zones, and the Aspire dashboard.")
    {
        Location, Tags, Token(),
        new BicepParameter("subnetId", "string", "The subnet of the apps."),
        new BicepParameter("zoneRedundant", "bool", "Spreads apps over three zones; cannot be changed later."),
        new BicepParameter("logRetentionDays", "int", "How long logs are kept."),
        new BicepResource("logs", AzureTypes.Logs, Named("log", new BicepMap { ["sku"] = new BicepMap { ["name"] = "PerGB2018" }, ["retentionInDays"] = Symbol("logRetentionDays") })),
        new BicepResource("environment", AzureTypes.Environment, Named("cae", new BicepMap
        {
            ["zoneRedundant"] = Symbol("zoneRedundant"),
            ["vnetConfiguration"] = new BicepMap { ["infrastructureSubnetId"] = Symbol("subnetId"), ["internal"] = false },
            ["workloadProfiles"] = new BicepList { new BicepMap { ["name"] = ContainerApp.Profile, ["workloadProfileType"] = ContainerApp.Profile } },
            // Between apps, so that http inside is no clear text on a wire.
            ["peerTrafficConfiguration"] = new BicepMap { ["encryption"] = new BicepMap { ["enabled"] = true } },
            ["appLogsConfiguration"] = new BicepMap
            {
                ["destination"] = "log-analytics",
                ["logAnalyticsConfiguration"] = new BicepMap { ["customerId"] = Symbol("logs.properties.customerId"), ["sharedKey"] = Symbol("logs.listKeys().primarySharedKey") },
            },
        })),
        new BicepResource("dashboard", AzureTypes.Dashboard, new()
        {
            ["parent"] = Symbol("environment"),
            ["name"] = "aspire-dashboard",
            ["properties"] = new BicepMap { ["componentType"] = "AspireDashboard" },
        }),
        new BicepOutput("name", "string", Symbol("environment.name"), "Of the environment."),
        new BicepOutput("id", "string", Symbol("environment.id"), "Of the environment."),
        new BicepOutput("domain", "string", Symbol("environment.properties.defaultDomain"), "Apps answer below it."),
    };

    public static BicepFile Registry() => new("The registry of the images. Nobody logs in by a password: identities pull, whoever deploys pushes as himself.")
    {
        Location, Tags, Token(),
        new BicepResource("registry", AzureTypes.Registry, WithSku(new()
        {
            ["name"] = Text("cr", Symbol("token")),
            ["location"] = Symbol("location"),
            ["tags"] = Symbol("tags"),
        }, "Standard", new BicepMap { ["adminUserEnabled"] = false, ["anonymousPullEnabled"] = false })),
        new BicepOutput("name", "string", Symbol("registry.name"), "Of the registry."),
        new BicepOutput("endpoint", "string", Symbol("registry.properties.loginServer"), "Where images are pushed to and pulled from."),
    };

    /// <summary>A secret that is not given is not touched: what the vault holds stays.</summary>
    public BicepFile Vault()
    {
        var file = new BicepFile("The vault: the only place where secrets are. It is reached from the network of the apps alone; whoever deploys puts secrets in through the resource manager.")
        {
            Location, Tags, Token(),
            new BicepParameter("subnetId", "string", "The subnet of private endpoints."),
            new BicepParameter("zoneId", "string", "The private zone of vaults."),
            values.Secrets().Select(static s => new BicepParameter(AzureNames.Symbol(s.Name), "string", $"Secret {s.Name}; empty: it stays as it is.", Secure: true)),
            new BicepResource("vault", AzureTypes.Vault, Named("kv", new BicepMap
            {
                ["tenantId"] = Symbol("subscription().tenantId"),
                ["sku"] = new BicepMap { ["family"] = "A", ["name"] = "standard" },
                ["enableRbacAuthorization"] = true,
                ["enableSoftDelete"] = true,
                ["softDeleteRetentionInDays"] = 90,
                // The pepper in it voids every API key when it is lost.
                ["enablePurgeProtection"] = true,
                ["publicNetworkAccess"] = "Disabled",
                ["networkAcls"] = new BicepMap { ["bypass"] = "AzureServices", ["defaultAction"] = "Deny" },
            })),
            Endpoint("vault", "vault"),
            values.Secrets().Select(static s => Secret(AzureNames.Symbol($"{s.Name}-secret"), s.Name, Symbol(AzureNames.Symbol(s.Name)), Symbol("vault"), Call("empty", Symbol(AzureNames.Symbol(s.Name))))),
            new BicepOutput("name", "string", Symbol("vault.name"), "Of the vault."),
            new BicepOutput("endpoint", "string", Symbol("vault.properties.vaultUri"), "Of the vault."),
        };
        return file;
    }

    /// <summary>For one service each: it pulls images, and reads those secrets that the service is given.</summary>
    public static BicepFile Identity() => new("An identity for one service.")
    {
        Location, Tags,
        new BicepParameter("name", "string", "Of the identity."),
        new BicepParameter("registryName", "string", "The registry that it may pull from."),
        new BicepParameter("vaultName", "string", "The vault of the secrets."),
        new BicepParameter("secrets", "string[]", "Names of the secrets that it may read, and no others."),
        new BicepVariable("pull", Role(AcrPull)),
        new BicepVariable("read", Role(KeyVaultSecretsUser)),
        new BicepResource("identity", AzureTypes.Identity, new() { ["name"] = Symbol("name"), ["location"] = Symbol("location"), ["tags"] = Symbol("tags") }),
        new BicepResource("registry", AzureTypes.Registry, new() { ["name"] = Symbol("registryName") }, Existing: true),
        new BicepResource("pulls", AzureTypes.RoleAssignment, Assignment("registry", "pull")),
        new BicepResource("vault", AzureTypes.Vault, new() { ["name"] = Symbol("vaultName") }, Existing: true),
        new BicepResource("secret", AzureTypes.VaultSecret, new() { ["parent"] = Symbol("vault"), ["name"] = Symbol("name") }, Existing: true, For: "name in secrets"),
        new BicepResource("reads", AzureTypes.RoleAssignment, Assignment("secret[i]", "read"), For: "(name, i) in secrets"),
        new BicepOutput("id", "string", Symbol("identity.id"), "Of the identity."),
    };

    /// <summary>In a subnet of its own, with a second server in another zone that has every commit, and with backups from which any second can be restored.</summary>
    public BicepFile Postgres(ServiceModel server)
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
    public BicepFile Redis(ServiceModel server)
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

    /// <summary>The model's secret parameters in a text become the key that Azure made; a text without one gets it.</summary>
    private static BicepValue Replaced(BicepValue text, ValueModel value, BicepExpression key)
    {
        var secrets = value.Parameters.Where(static p => p.Secret).Select(static p => AzureNames.Symbol(p.Name)).ToHashSet(StringComparer.Ordinal);
        return secrets.Count == 0 ? Text(text, ",password=", key)
            : Text([.. ((BicepText)text).Parts.Select(p => p is BicepExpression expression && secrets.Contains(expression.Code) ? key : p)]);
    }

    private static BicepParameter Token() => new("token", "string", "Makes names unique in the world.", null, false, ("minLength", 13));

    private static BicepValue Role(string id) => Call("subscriptionResourceId", "Microsoft.Authorization/roleDefinitions", id);

    private static BicepMap Named(string prefix, BicepMap properties) => new()
    {
        ["name"] = Text($"{prefix}-", Symbol("token")),
        ["location"] = Symbol("location"),
        ["tags"] = Symbol("tags"),
        ["properties"] = properties,
    };

    private static BicepMap WithSku(BicepMap resource, BicepValue sku, BicepMap properties, string? tier = null)
    {
        resource["sku"] = new BicepMap { ["name"] = sku, ["tier"] = tier is null ? null : (BicepValue)tier };
        resource["properties"] = properties;
        return resource;
    }

    private static BicepMap Assignment(string scope, string role) => new()
    {
        ["scope"] = Symbol(scope),
        ["name"] = Call("guid", Symbol(scope).Get("id"), Symbol("identity.id"), Symbol(role)),
        ["properties"] = new BicepMap { ["principalId"] = Symbol("identity.properties.principalId"), ["principalType"] = "ServicePrincipal", ["roleDefinitionId"] = Symbol(role) },
    };

    /// <param name="unless">It is left as it is where this holds.</param>
    private static BicepResource Secret(string symbol, string name, BicepValue value, BicepExpression vault, BicepExpression? unless) =>
        new(symbol, AzureTypes.VaultSecret, new() { ["parent"] = vault, ["name"] = name, ["properties"] = new BicepMap { ["value"] = value } }, If: unless is null ? null : new($"!{unless.Code}"));

    private static BicepMap Subnet(string name, BicepExpression prefix, string? guard, string? delegation) => new()
    {
        ["name"] = name,
        ["properties"] = new BicepMap
        {
            ["addressPrefix"] = prefix,
            ["networkSecurityGroup"] = guard is null ? null : new BicepMap { ["id"] = Symbol(guard).Get("id") },
            ["delegations"] = delegation is null ? null : new BicepList { new BicepMap { ["name"] = name, ["properties"] = new BicepMap { ["serviceName"] = delegation } } },
            // Without it no rule counts for a private endpoint.
            ["privateEndpointNetworkPolicies"] = name == "endpoints" ? "Enabled" : null,
        },
    };

    private static BicepExpression SubnetId(string name) => Call("resourceId", "Microsoft.Network/virtualNetworks/subnets", Symbol("network.name"), name);

    private static BicepResource Guard(string symbol, string name, BicepList from, int[] ports) => new(symbol, AzureTypes.SecurityGroup, Named($"nsg-{name}", new BicepMap
    {
        ["securityRules"] = new BicepList
        {
            Rule("apps", 100, "Allow", new BicepMap { ["sourceAddressPrefixes"] = from, ["destinationPortRanges"] = Texts(ports.Select(static p => $"{p}")) }),
            Rule("nobody-else", 4000, "Deny", new BicepMap { ["sourceAddressPrefix"] = "VirtualNetwork", ["destinationPortRange"] = "*" }),
        },
    }));

    private static BicepMap Rule(string name, int priority, string access, BicepMap match) => new()
    {
        ["name"] = name,
        ["properties"] = new BicepMap(new Dictionary<string, BicepValue>
        {
            ["priority"] = priority,
            ["direction"] = "Inbound",
            ["access"] = access,
            ["protocol"] = access == "Allow" ? "Tcp" : "*",
            ["sourcePortRange"] = "*",
            ["destinationAddressPrefix"] = "*",
        }.Concat(match)),
    };

    /// <summary>Brings a service of Azure into the network, under the name that it has outside.</summary>
    private static IEnumerable<BicepStatement> Endpoint(string symbol, string group) =>
    [
        new BicepResource($"{symbol}Endpoint", AzureTypes.PrivateEndpoint, new()
        {
            ["name"] = Text(Symbol(symbol).Get("name"), "-endpoint"),
            ["location"] = Symbol("location"),
            ["tags"] = Symbol("tags"),
            ["properties"] = new BicepMap
            {
                ["subnet"] = new BicepMap { ["id"] = Symbol("subnetId") },
                ["privateLinkServiceConnections"] = new BicepList
                {
                    new BicepMap { ["name"] = symbol, ["properties"] = new BicepMap { ["privateLinkServiceId"] = Symbol(symbol).Get("id"), ["groupIds"] = Texts([group]) } },
                },
            },
        }),
        new BicepResource($"{symbol}Names", AzureTypes.PrivateEndpointZones, new()
        {
            ["parent"] = Symbol($"{symbol}Endpoint"),
            ["name"] = "default",
            ["properties"] = new BicepMap { ["privateDnsZoneConfigs"] = new BicepList { new BicepMap { ["name"] = symbol, ["properties"] = new BicepMap { ["privateDnsZoneId"] = Symbol("zoneId") } } } },
        }),
    ];
}
