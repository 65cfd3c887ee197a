// cache: Azure Managed Redis.

@description('Region.')
param location string

@description('Of every resource; azd finds its environment by them.')
param tags object

@description('Makes names unique in the world.')
@minLength(13)
param token string

@description('The vault that the connection strings are put into.')
param vaultName string

@description('The subnet of private endpoints.')
param subnetId string

@description('The private zone of Redis.')
param zoneId string

@description('Balanced_B1 has 1 GB.')
param sku string

resource redis 'Microsoft.Cache/redisEnterprise@2025-07-01' = {
  name: 'cache-${token}'
  location: location
  tags: tags
  sku: {
    name: sku
  }
  properties: {
    minimumTlsVersion: '1.2'
    highAvailability: 'Enabled'
    publicNetworkAccess: 'Disabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-07-01' = {
  parent: redis
  name: 'default'
  properties: {
    port: 10000
    clientProtocol: 'Encrypted'
    clusteringPolicy: 'NoCluster'
    evictionPolicy: 'NoEviction'
    accessKeysAuthentication: 'Enabled'
  }
}

resource redisEndpoint 'Microsoft.Network/privateEndpoints@2024-07-01' = {
  name: '${redis.name}-endpoint'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: 'redis'
        properties: {
          privateLinkServiceId: redis.id
          groupIds: [
            'redisEnterprise'
          ]
        }
      }
    ]
  }
}

resource redisNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-07-01' = {
  parent: redisEndpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: 'redis'
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource cacheConnectionString 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'cache-connection-string'
  properties: {
    value: '${redis.properties.hostName}:10000,password=${database.listKeys().primaryKey},ssl=true'
  }
}
