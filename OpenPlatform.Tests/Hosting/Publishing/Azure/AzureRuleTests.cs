using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Npgsql;
using OpenPlatform.ServiceDefaults.Redis.InRepo;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Hosting.Publishing.Azure;

/// <summary>What neither the compiler nor the types know and only Azure would refuse, or worse, accept.</summary>
public sealed partial class AzureRuleTests
{
    private const string App = "Microsoft.App/containerApps", Job = "Microsoft.App/jobs";

    public static TheoryData<string> Applications => ["AppHost", "shop"];

    [Theory]
    [MemberData(nameof(Applications))]
    public async Task Apps_have_legal_names_sizes_probes_and_mounts(string application)
    {
        var apps = Of(await AzureFolder.ResourcesAsync(application), App);
        Assert.NotEmpty(apps);
        Assert.All(apps, static app =>
        {
            Assert.Matches("^[a-z]([a-z0-9]|-(?!-)){0,30}[a-z0-9]$", (string)app["name"]!);
            var template = Manifest.In(app, "properties", "template")!;
            Assert.InRange((int)template["terminationGracePeriodSeconds"]!, 32, 600); // the drain takes 31
            Assert.InRange((int)template["scale"]!["minReplicas"]!, 1, (int)template["scale"]!["maxReplicas"]!);
            Assert.InRange((int)template["scale"]!["maxReplicas"]!, 1, 1000);

            var container = Assert.Single(template["containers"]!.AsArray())!;
            var cores = container["resources"]!["cpu"]!.GetValue<decimal>();
            Assert.InRange(cores, 0.25m, 4m);
            Assert.Equal(0, cores % 0.25m);
            Assert.Equal($"{cores * 2:0.##}Gi", (string?)container["resources"]!["memory"]);

            var probes = (container["probes"] as JsonArray ?? []).Select(static p => p!).ToArray();
            Assert.Equal(probes.Length, probes.Select(static p => (string?)p["type"]).Distinct().Count());
            Assert.All(probes, static p =>
            {
                Assert.InRange((int)p["failureThreshold"]!, 1, 10);
                Assert.InRange((int)p["periodSeconds"]!, 1, 240);
                Assert.InRange((int)p["timeoutSeconds"]!, 1, 240);
            });

            var volumes = (template["volumes"] as JsonArray ?? []).Select(static v => (string?)v!["name"]);
            Assert.Equal(volumes, (container["volumeMounts"] as JsonArray ?? []).Select(static m => (string?)m!["volumeName"]));
        });
        Assert.All(Of(await AzureFolder.ResourcesAsync(application), Job), static job => Assert.InRange(((string)job["name"]!).Length, 2, 32));
    }

    [Theory]
    [MemberData(nameof(Applications))]
    public async Task What_is_referred_to_is_there(string application)
    {
        var resources = await AzureFolder.ResourcesAsync(application);
        var vault = Of(resources, "Microsoft.KeyVault/vaults/secrets").Select(LastName).ToHashSet();
        Assert.All(Of(resources, App).Concat(Of(resources, Job)), app =>
        {
            var secrets = (Manifest.In(app, "properties", "configuration", "secrets") as JsonArray ?? []).Select(static s => (Name: (string)s!["name"]!, Url: (string)s["keyVaultUrl"]!)).ToArray();
            Assert.All(secrets, s => Assert.Contains(s.Url.Split('/')[^1], vault));
            var used = Containers(app).SelectMany(Variables).Select(static v => (string?)v["secretRef"]).OfType<string>().Distinct();
            Assert.Equal(secrets.Select(static s => s.Name).Order(), used.Order());
            Assert.All(Containers(app).SelectMany(Variables), static v => Assert.True(v["value"] is null != v["secretRef"] is null, $"{v}"));
        });

        var storages = Of(resources, "Microsoft.App/managedEnvironments/storages").Select(LastName);
        Assert.Equal(storages, Of(resources, App).SelectMany(static a => Manifest.In(a, "properties", "template", "volumes") as JsonArray ?? []).Select(static v => (string?)v!["storageName"]).OfType<string>());
    }

    [Theory]
    [MemberData(nameof(Applications))]
    public async Task A_service_may_read_its_own_secrets_and_no_others(string application)
    {
        var resources = await AzureFolder.ResourcesAsync(application);
        var allowed = Of(resources, "Microsoft.Authorization/roleAssignments").Where(static r => $"{r["properties"]!["roleDefinitionId"]}".Contains("4633458b-17de-408a-b874-0445c86b69e6", StringComparison.Ordinal))
            .Select(static r => (Service: Reader().Match((string)r["id"]!).Value, Secret: Read().Match((string)r["id"]!).Value));
        var wanted = Of(resources, App).SelectMany(static app => (Manifest.In(app, "properties", "configuration", "secrets") as JsonArray ?? []).Select(s => (Service: (string)app["name"]!, Secret: (string)s!["name"]!)));

        Assert.Equal(wanted.Order(), allowed.Order());
    }

    [Theory]
    [MemberData(nameof(Applications))]
    public async Task Nothing_but_external_ingress_is_open_to_the_world_and_that_only_to_https(string application)
    {
        var resources = await AzureFolder.ResourcesAsync(application);
        Assert.All(resources.Where(static r => (string?)r["type"] is "Microsoft.KeyVault/vaults" or "Microsoft.Cache/redisEnterprise"), static r => Assert.Equal("Disabled", (string?)r["properties"]!["publicNetworkAccess"]));
        var postgres = Assert.Single(Of(resources, "Microsoft.DBforPostgreSQL/flexibleServers"))["properties"]!;
        Assert.Equal("Disabled", (string?)postgres["network"]!["publicNetworkAccess"]);
        Assert.Equal("ZoneRedundant", (string?)postgres["highAvailability"]!["mode"]);
        Assert.InRange((int)postgres["backup"]!["backupRetentionDays"]!, 7, 35);
        Assert.False((bool)Assert.Single(Of(resources, "Microsoft.ContainerRegistry/registries"))["properties"]!["adminUserEnabled"]!);

        var environment = Assert.Single(Of(resources, "Microsoft.App/managedEnvironments"))["properties"]!;
        Assert.True((bool)environment["zoneRedundant"]!);
        Assert.True((bool)Manifest.In(environment, "peerTrafficConfiguration", "encryption", "enabled")!);
        Assert.All(Of(resources, App).Select(static a => Manifest.In(a, "properties", "configuration", "ingress")).OfType<JsonObject>(), static ingress =>
            Assert.True((string?)ingress["transport"] == "tcp" || (bool)ingress["allowInsecure"]! != (bool)ingress["external"]!, $"{ingress}"));

        // Only the apps come through, and only at the ports of what is there.
        var guards = Of(resources, "Microsoft.Network/networkSecurityGroups");
        Assert.Equal(2, guards.Count);
        Assert.All(guards, static g =>
        {
            var rules = g["properties"]!["securityRules"]!.AsArray().Select(static r => r!["properties"]!).OrderBy(static r => (int)r["priority"]!).ToArray();
            Assert.Equal(["Allow", "Deny"], rules.Select(static r => (string?)r["access"]));
            Assert.Equal("10.0.0.0/23", (string?)rules[0]["sourceAddressPrefixes"]![0]);
            Assert.Equal(("VirtualNetwork", "*"), ((string?)rules[1]["sourceAddressPrefix"], (string?)rules[1]["destinationPortRange"]));
        });
    }

    [Fact]
    public async Task The_database_is_migrated_before_an_instance_of_a_new_revision_starts()
    {
        var resources = await AzureFolder.ResourcesAsync("AppHost");
        var catalog = AppOf("catalog", resources);
        var first = Assert.Single(Manifest.In(catalog, "properties", "template", "initContainers")!.AsArray())!;
        var job = Assert.Single(Of(resources, Job));

        Assert.Equal("catalog-migrations", (string?)job["name"]);
        Assert.Equal("Manual", (string?)Manifest.In(job, "properties", "configuration", "triggerType"));
        Assert.All([first, Manifest.In(job, "properties", "template", "containers", 0)!], container =>
        {
            Assert.Equal((string?)Manifest.In(catalog, "properties", "template", "containers", 0, "image"), (string?)container["image"]);
            Assert.Equal(["--migrate"], container["args"]!.AsArray().Select(static a => (string?)a));
            // It needs the database and gets nothing else.
            Assert.Equal(["ConnectionStrings__catalogdb"], Variables(container).Select(static v => (string?)v["name"]));
        });
        Assert.DoesNotContain(Of(resources, App), static a => (string?)a["name"] != "catalog" && Manifest.In(a, "properties", "template", "initContainers") is not null);
    }

    [Fact]
    public async Task The_gateway_finds_orders_behind_one_address_trusts_the_proxies_and_keeps_its_private_port_to_itself()
    {
        var resources = await AzureFolder.ResourcesAsync("AppHost");
        var gateway = AppOf("gateway", resources);
        var variables = Containers(gateway).SelectMany(Variables).ToDictionary(static v => (string)v["name"]!, static v => (string?)v["value"]);

        Assert.Equal("http://orders:80", variables["services__orders__http__0"]);
        Assert.Equal("http://catalog:80", variables["services__catalog__http__0"]);
        Assert.DoesNotContain("OpenPlatform__Leases__Key", Containers(AppOf("orders", resources)).SelectMany(Variables).Select(static v => (string?)v["name"]));
        Assert.Equal(("100.100.0.0/16", "10.0.0.0/23"), (variables["OpenPlatform__Gateway__Context__TrustedProxies__0"], variables["OpenPlatform__Gateway__Context__TrustedProxies__1"]));

        var ingress = Manifest.In(gateway, "properties", "configuration", "ingress")!;
        Assert.Equal(8080, (int)ingress["targetPort"]!);
        Assert.Null(ingress["additionalPortMappings"]);
        Assert.Equal(["/startupz", "/readyz", "/livez"], Manifest.In(gateway, "properties", "template", "containers", 0, "probes")!.AsArray().Select(static p => (string?)p!["httpGet"]!["path"]));
        Assert.All(Manifest.In(gateway, "properties", "template", "containers", 0, "probes")!.AsArray(), static p => Assert.Equal(8081, (int)p!["httpGet"]!["port"]!));
    }

    [Fact]
    public async Task An_external_service_is_called_by_https_under_its_public_name()
    {
        var caller = AppOf("back-office", await AzureFolder.ResourcesAsync("shop"));
        var address = Containers(caller).SelectMany(Variables).Single(static v => (string?)v["name"] == "services__api__http__0");
        Assert.StartsWith("[format('https://api.{0}:443'", (string?)address["value"], StringComparison.Ordinal);
        // Nobody refers to it, so nothing leads to it.
        Assert.Null(Manifest.In(caller, "properties", "configuration", "ingress"));
    }

    [Fact]
    public async Task Services_understand_the_connection_strings_of_the_managed_servers()
    {
        var secrets = Of(await AzureFolder.ResourcesAsync("AppHost"), "Microsoft.KeyVault/vaults/secrets").ToDictionary(LastName, static s => Format().Match((string)s["properties"]!["value"]!).Groups["text"].Value);

        var redis = RedisOptions.Parse(string.Format(null, secrets["redis-connection-string"], "redis-x.westeurope.redis.azure.net", "bGlrZSBhIGtleQ=="));
        Assert.Equal([("redis-x.westeurope.redis.azure.net", 10000)], redis.Endpoints);
        Assert.Equal((true, "bGlrZSBhIGtleQ=="), (redis.Tls, redis.Password));

        var postgres = new NpgsqlConnectionStringBuilder(string.Format(null, secrets["catalogdb-connection-string"], "postgres-x.postgres.database.azure.com", "letters0"));
        Assert.Equal(("postgres-x.postgres.database.azure.com", 5432, "catalogdb", "letters0", SslMode.VerifyFull), (postgres.Host, postgres.Port, postgres.Database, postgres.Password, postgres.SslMode));
        Assert.Equal((string?)Assert.Single(Of(await AzureFolder.ResourcesAsync("AppHost"), "Microsoft.DBforPostgreSQL/flexibleServers"))["properties"]!["administratorLogin"], postgres.Username);
    }

    [Fact]
    public async Task A_secret_is_in_the_vault_and_nowhere_else_and_one_that_is_not_supplied_stays()
    {
        var resources = await AzureFolder.ResourcesAsync("AppHost");
        var published = await Published.AppHostAsync("azure");
        var supplied = SecureParameter().Matches(published.Files["infra/main.bicep"]).Select(static m => m.Groups["name"].Value).ToArray();

        Assert.Contains("keyPepper", supplied);
        // What the deployment puts where: the compiler leaves a secure parameter as a reference.
        Assert.All(resources.Where(static r => r.ToJsonString().Contains("parameters(", StringComparison.Ordinal)), static r => Assert.True(
            (string?)r["type"] == "Microsoft.KeyVault/vaults/secrets" || Mentions(r) == Mentions((JsonObject)r["properties"]!, "administratorLoginPassword"), $"{r["type"]} holds a secret."));
        Assert.All(Of(resources, "Microsoft.KeyVault/vaults/secrets").Where(static s => Mentions(s) > 0), static s => Assert.StartsWith("[not(empty(parameters(", (string?)s["condition"], StringComparison.Ordinal));
        Assert.StartsWith("[if(empty(parameters(", (string?)Assert.Single(Of(resources, "Microsoft.DBforPostgreSQL/flexibleServers"))["properties"]!["administratorLoginPassword"], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Applications))]
    public async Task Azd_is_told_where_projects_are_and_has_a_value_for_every_parameter(string application)
    {
        using var folder = await AzureFolder.WriteAsync(application);
        var files = folder.Published.Files;
        var services = Manifest.Documents(files["azure.yaml"]).Single()!["services"]!.AsObject();
        Assert.All(services, s =>
        {
            Assert.Single(Directory.EnumerateFiles(Path.Combine(Repository.Root, (string)s.Value!["project"]!), "*.csproj"));
            Assert.Equal("containerapp", (string?)s.Value["host"]);
            Assert.Contains($"infra/{s.Key}.bicep", files.Keys);
        });

        var outputs = Output().Matches(files["infra/main.bicep"]).Select(static m => m.Groups["name"].Value).ToHashSet();
        Assert.All(folder.Roots, root =>
        {
            var given = JsonNode.Parse(files[Path.ChangeExtension(root, ".parameters.json")])!["parameters"]!.AsObject().ToDictionary(static p => p.Key, static p => ((string)p.Value!["value"]!).Trim('$', '{', '}'));
            var asked = Parameter().Matches(files[root]).Select(static m => (Name: m.Groups["name"].Value, IsNeeded: !m.Groups["default"].Success)).ToArray();
            Assert.All(asked.Where(static a => a.IsNeeded), a => Assert.Contains(a.Name, given.Keys));
            Assert.All(given.Keys, name => Assert.Contains(name, asked.Select(static a => a.Name)));
            Assert.All(given.Values, variable => Assert.True(
                variable is "AZURE_ENV_NAME" or "AZURE_LOCATION" || outputs.Contains(variable) || variable.EndsWith("_IMAGE_NAME", StringComparison.Ordinal)
                || (variable.StartsWith("SECRET_", StringComparison.Ordinal) && files["infra/README.md"].Contains($"export {variable}=\"$(openssl rand", StringComparison.Ordinal)), $"Nothing sets {variable}."));
        });
    }

    private static IReadOnlyList<JsonObject> Of(IEnumerable<JsonObject> resources, string type) => [.. resources.Where(r => (string?)r["type"] == type)];

    private static JsonObject AppOf(string name, IEnumerable<JsonObject> resources) => Of(resources, App).Single(a => (string?)a["name"] == name);

    private static IEnumerable<JsonNode> Containers(JsonObject app) =>
        ((string[])["initContainers", "containers"]).SelectMany(list => Manifest.In(app, "properties", "template", list) as JsonArray ?? []).Select(static c => c!);

    private static IEnumerable<JsonNode> Variables(JsonNode container) => (container["env"] as JsonArray ?? []).Select(static v => v!);

    /// <summary>The last part of a name that may be an expression.</summary>
    private static string LastName(JsonObject resource) => ((string)resource["name"]!).Replace("')]", "", StringComparison.Ordinal).Split('/', '\'')[^1];

    private static int Mentions(JsonObject node, string? property = null) => Regex.Count((property is null ? node : node[property])!.ToJsonString(), @"parameters\(");

    [GeneratedRegex(@"(?<=userAssignedIdentities/id-)[a-z-]+(?=-[a-z0-9]{13}')", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Reader();

    [GeneratedRegex(@"(?<=outputs\.name\.value, ')[a-z0-9-]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Read();

    [GeneratedRegex(@"^\[format\('(?<text>[^']*)'", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Format();

    [GeneratedRegex(@"@secure\(\)\s+param (?<name>\w+) string = ''", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SecureParameter();

    [GeneratedRegex(@"^param (?<name>\w+) [\w\[\]]+(?<default> = .*)?$", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex Parameter();

    [GeneratedRegex(@"^output (?<name>\w+) ", RegexOptions.ExplicitCapture | RegexOptions.Multiline, 1000)]
    private static partial Regex Output();
}
