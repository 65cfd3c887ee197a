// openplatform-tests: everything that lasts. The services themselves are in the files beside this one, which azd deploys with their images.

targetScope = 'subscription'

@description('Name of azd\'s environment; resources are named after it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region; with zones, unless zoneRedundant is false.')
param location string

@description('The loss of a zone costs nothing but the instances in it.')
param zoneRedundant bool = true

@description('Of the network, a /16 or wider.')
param addressPrefix string = '10.0.0.0/16'

@description('How long logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Major version of Postgres.')
param postgresVersion string = '18'

@description('Size of the database server, General Purpose.')
param postgresSku string = 'Standard_D2ds_v5'

@description('Storage of the database server at the start; it grows by itself.')
@minValue(32)
param postgresStorageGiB int = 64

@description('How far back any second of the database can be restored.')
@minValue(7)
@maxValue(35)
param backupRetentionDays int = 14

@description('Backups in the paired region too. Decided once, when the server is made.')
param geoRedundantBackup bool = false

@description('Size of Redis.')
param redisSku string = 'Balanced_B1'

@description('Secret db-password; empty: what the vault holds stays.')
@secure()
param dbPassword string = ''

@description('Secret api-token; empty: what the vault holds stays.')
@secure()
param apiToken string = ''

var token = uniqueString(subscription().id, environmentName, location)

var tags = {
  'azd-env-name': environmentName
}

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module network 'modules/network.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    addressPrefix: addressPrefix
  }
}

module environment 'modules/environment.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    subnetId: network.outputs.appsSubnetId
    zoneRedundant: zoneRedundant
    logRetentionDays: logRetentionDays
  }
}

module registry 'modules/registry.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    subnetId: network.outputs.endpointsSubnetId
    zoneId: network.outputs.vaultZoneId
    apiToken: apiToken
  }
}

module db 'modules/db.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    vaultName: vault.outputs.name
    subnetId: network.outputs.databasesSubnetId
    zoneId: network.outputs.postgresZoneId
    zoneRedundant: zoneRedundant
    sku: postgresSku
    storageGiB: postgresStorageGiB
    backupRetentionDays: backupRetentionDays
    geoRedundantBackup: geoRedundantBackup
    version: postgresVersion
    dbPassword: dbPassword
  }
}

module cache 'modules/cache.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    vaultName: vault.outputs.name
    subnetId: network.outputs.endpointsSubnetId
    zoneId: network.outputs.redisZoneId
    sku: redisSku
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    environmentName: environment.outputs.name
    zoneRedundant: zoneRedundant
  }
}

module mailIdentity 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: 'id-mail-${token}'
    registryName: registry.outputs.name
    vaultName: vault.outputs.name
    secrets: []
  }
}

module apiIdentity 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: 'id-api-${token}'
    registryName: registry.outputs.name
    vaultName: vault.outputs.name
    secrets: [
      'cache-connection-string'
      'shopdb-connection-string'
      'api-token'
    ]
  }
  dependsOn: [
    db
    cache
  ]
}

module backOfficeIdentity 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: 'id-back-office-${token}'
    registryName: registry.outputs.name
    vaultName: vault.outputs.name
    secrets: []
  }
}

module mailApp 'mail.bicep' = {
  scope: group
  params: {
    environmentName: environmentName
    location: location
    containerAppsEnvironmentName: environment.outputs.name
    identityId: mailIdentity.outputs.id
  }
  dependsOn: [
    storage
  ]
}

@description('Where everything is.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Where the services run.')
output AZURE_CONTAINER_APPS_ENVIRONMENT_NAME string = environment.outputs.name

@description('Where azd pushes images to.')
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.endpoint

@description('Where services read their secrets.')
output AZURE_KEY_VAULT_ENDPOINT string = vault.outputs.endpoint

@description('Where calls of the environment come from.')
output AZURE_APPS_NETWORK string = network.outputs.appsPrefix

@description('As whom api runs.')
output SERVICE_API_IDENTITY_ID string = apiIdentity.outputs.id

@description('As whom back-office runs.')
output SERVICE_BACK_OFFICE_IDENTITY_ID string = backOfficeIdentity.outputs.id
