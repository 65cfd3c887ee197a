// The vault: the only place where secrets are. It is reached from the network of the apps alone; whoever deploys puts secrets in through the resource manager.

@description('Region.')
param location string

@description('Of every resource; azd finds its environment by them.')
param tags object

@description('Makes names unique in the world.')
@minLength(13)
param token string

@description('The subnet of private endpoints.')
param subnetId string

@description('The private zone of vaults.')
param zoneId string

@description('Secret api-token; empty: it stays as it is.')
@secure()
param apiToken string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kv-${token}'
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: 'Disabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Deny'
    }
  }
}

resource vaultEndpoint 'Microsoft.Network/privateEndpoints@2024-07-01' = {
  name: '${vault.name}-endpoint'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: 'vault'
        properties: {
          privateLinkServiceId: vault.id
          groupIds: [
            'vault'
          ]
        }
      }
    ]
  }
}

resource vaultNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-07-01' = {
  parent: vaultEndpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: 'vault'
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}

resource apiTokenSecret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(apiToken)) {
  parent: vault
  name: 'api-token'
  properties: {
    value: apiToken
  }
}

@description('Of the vault.')
output name string = vault.name

@description('Of the vault.')
output endpoint string = vault.properties.vaultUri
