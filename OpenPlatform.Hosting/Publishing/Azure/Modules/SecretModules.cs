using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;
using static OpenPlatform.Hosting.Publishing.Azure.Modules.ModuleParts;

namespace OpenPlatform.Hosting.Publishing.Azure.Modules;

/// <summary>Where secrets are, and who may read which.</summary>
internal static class SecretModules
{
    // Roles that Azure knows by these numbers.
    private const string AcrPull = "7f951dda-4ed3-4680-a7ca-43fe172d538d", KeyVaultSecretsUser = "4633458b-17de-408a-b874-0445c86b69e6";

    /// <summary>A secret that is not given is not touched: what the vault holds stays.</summary>
    public static BicepFile Vault(AzureValues values)
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

    private static BicepValue Role(string id) => Call("subscriptionResourceId", "Microsoft.Authorization/roleDefinitions", id);

    private static BicepMap Assignment(string scope, string role) => new()
    {
        ["scope"] = Symbol(scope),
        ["name"] = Call("guid", Symbol(scope).Get("id"), Symbol("identity.id"), Symbol(role)),
        ["properties"] = new BicepMap { ["principalId"] = Symbol("identity.properties.principalId"), ["principalType"] = "ServicePrincipal", ["roleDefinitionId"] = Symbol(role) },
    };
}
