using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;
using static OpenPlatform.Hosting.Publishing.Azure.Modules.ModuleParts;

namespace OpenPlatform.Hosting.Publishing.Azure.Modules;

/// <summary>Who may talk to whom, as far as networks can tell it here: only the subnet of the apps reaches databases, cache and vault, each at its port.</summary>
internal sealed class NetworkModule(AzureValues values)
{
    private bool HasPostgres => values.Servers.Any(static s => s.Kind == ServiceKind.Postgres);
    private bool HasRedis => values.Servers.Any(static s => s.Kind == ServiceKind.Redis);

    public BicepFile File()
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
            HasPostgres ? Guard("databasesGuard", "databases", [Symbol("appsPrefix"), Symbol("databasesPrefix")], [StoreModules.PostgresPort, 6432]) : null,
            Guard("endpointsGuard", "endpoints", [Symbol("appsPrefix")], HasRedis ? [443, StoreModules.RedisPort] : [443]),
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
}
