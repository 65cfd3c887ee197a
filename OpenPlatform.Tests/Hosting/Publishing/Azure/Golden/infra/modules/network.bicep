// The network: a subnet for the apps, one for the databases, one for private endpoints.

@description('Region.')
param location string

@description('Of every resource; azd finds its environment by them.')
param tags object

@description('Makes names unique in the world.')
@minLength(13)
param token string

@description('Of the whole network, a /16 or wider; not within 100.100.0.0/16, which the platform keeps.')
param addressPrefix string

var appsPrefix = cidrSubnet(addressPrefix, 23, 0)

var databasesPrefix = cidrSubnet(addressPrefix, 27, 16)

var endpointsPrefix = cidrSubnet(addressPrefix, 27, 17)

resource databasesGuard 'Microsoft.Network/networkSecurityGroups@2024-07-01' = {
  name: 'nsg-databases-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'apps'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          sourceAddressPrefixes: [
            appsPrefix
            databasesPrefix
          ]
          destinationPortRanges: [
            '5432'
            '6432'
          ]
        }
      }
      {
        name: 'nobody-else'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          sourceAddressPrefix: 'VirtualNetwork'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource endpointsGuard 'Microsoft.Network/networkSecurityGroups@2024-07-01' = {
  name: 'nsg-endpoints-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'apps'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          sourceAddressPrefixes: [
            appsPrefix
          ]
          destinationPortRanges: [
            '443'
            '10000'
          ]
        }
      }
      {
        name: 'nobody-else'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          sourceAddressPrefix: 'VirtualNetwork'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-07-01' = {
  name: 'vnet-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        name: 'apps'
        properties: {
          addressPrefix: appsPrefix
          delegations: [
            {
              name: 'apps'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'databases'
        properties: {
          addressPrefix: databasesPrefix
          networkSecurityGroup: {
            id: databasesGuard.id
          }
          delegations: [
            {
              name: 'databases'
              properties: {
                serviceName: 'Microsoft.DBforPostgreSQL/flexibleServers'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointsPrefix
          networkSecurityGroup: {
            id: endpointsGuard.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

resource vaultZone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: 'privatelink.vaultcore.azure.net'
  location: 'global'
  tags: tags
}

resource vaultZoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: vaultZone
  name: 'link-${token}'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}

resource postgresZone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: '${token}.private.postgres.database.azure.com'
  location: 'global'
  tags: tags
}

resource postgresZoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: postgresZone
  name: 'link-${token}'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}

resource redisZone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: 'privatelink.redis.azure.net'
  location: 'global'
  tags: tags
}

resource redisZoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: redisZone
  name: 'link-${token}'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}

@description('For the environment.')
output appsSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'apps')

@description('Where calls of the environment come from.')
output appsPrefix string = appsPrefix

@description('For database servers.')
output databasesSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'databases')

@description('For private endpoints.')
output endpointsSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'endpoints')

@description('A private zone of names.')
output vaultZoneId string = vaultZone.id

@description('A private zone of names.')
output postgresZoneId string = postgresZone.id

@description('A private zone of names.')
output redisZoneId string = redisZone.id
