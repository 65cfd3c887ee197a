namespace OpenPlatform.Hosting.Publishing.Azure;

/// <summary>The resource types that are written, with the API version that the files and their check speak of.</summary>
internal static class AzureTypes
{
    public const string
        App = "Microsoft.App/containerApps@2026-07-01",
        Job = "Microsoft.App/jobs@2026-07-01",
        Environment = "Microsoft.App/managedEnvironments@2026-07-01",
        EnvironmentStorage = "Microsoft.App/managedEnvironments/storages@2026-07-01",
        // The first that is no preview.
        Dashboard = "Microsoft.App/managedEnvironments/dotNetComponents@2026-07-01",
        ResourceGroup = "Microsoft.Resources/resourceGroups@2025-04-01",
        Logs = "Microsoft.OperationalInsights/workspaces@2025-02-01",
        Registry = "Microsoft.ContainerRegistry/registries@2025-04-01",
        Identity = "Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30",
        RoleAssignment = "Microsoft.Authorization/roleAssignments@2022-04-01",
        Vault = "Microsoft.KeyVault/vaults@2024-11-01",
        VaultSecret = "Microsoft.KeyVault/vaults/secrets@2024-11-01",
        Network = "Microsoft.Network/virtualNetworks@2024-07-01",
        SecurityGroup = "Microsoft.Network/networkSecurityGroups@2024-07-01",
        PrivateEndpoint = "Microsoft.Network/privateEndpoints@2024-07-01",
        PrivateEndpointZones = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-07-01",
        PrivateZone = "Microsoft.Network/privateDnsZones@2024-06-01",
        PrivateZoneLink = "Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01",
        Postgres = "Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01",
        PostgresDatabase = "Microsoft.DBforPostgreSQL/flexibleServers/databases@2025-08-01",
        Redis = "Microsoft.Cache/redisEnterprise@2025-07-01",
        RedisDatabase = "Microsoft.Cache/redisEnterprise/databases@2025-07-01",
        Storage = "Microsoft.Storage/storageAccounts@2025-01-01",
        FileService = "Microsoft.Storage/storageAccounts/fileServices@2025-01-01",
        FileShare = "Microsoft.Storage/storageAccounts/fileServices/shares@2025-01-01";
}
