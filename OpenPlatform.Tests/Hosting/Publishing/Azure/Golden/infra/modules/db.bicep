// db: a PostgreSQL flexible server.

@description('Region.')
param location string

@description('Of every resource; azd finds its environment by them.')
param tags object

@description('Makes names unique in the world.')
@minLength(13)
param token string

@description('The vault that the connection strings are put into.')
param vaultName string

@description('The subnet of database servers.')
param subnetId string

@description('The private zone of database servers.')
param zoneId string

@description('A standby in another zone; without it, in the same.')
param zoneRedundant bool

@description('Of General Purpose: Standard_D2ds_v5 has 2 cores and 8 GiB.')
param sku string

@description('At the start; it grows by itself.')
param storageGiB int

@description('How far back any second can be restored.')
param backupRetentionDays int

@description('Backups in the paired region too; cannot be changed later.')
param geoRedundantBackup bool

@description('Major version of Postgres.')
param version string

@description('Password db-password; empty: it stays as it is.')
@secure()
param dbPassword string

var login = 'platformowner'

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: 'db-${token}'
  location: location
  tags: tags
  sku: {
    name: sku
    tier: 'GeneralPurpose'
  }
  properties: {
    version: version
    administratorLogin: login
    administratorLoginPassword: empty(dbPassword) ? null : dbPassword
    authConfig: {
      passwordAuth: 'Enabled'
      activeDirectoryAuth: 'Disabled'
    }
    highAvailability: {
      mode: zoneRedundant ? 'ZoneRedundant' : 'SameZone'
    }
    backup: {
      backupRetentionDays: backupRetentionDays
      geoRedundantBackup: geoRedundantBackup ? 'Enabled' : 'Disabled'
    }
    storage: {
      storageSizeGB: storageGiB
      autoGrow: 'Enabled'
    }
    network: {
      delegatedSubnetResourceId: subnetId
      privateDnsZoneArmResourceId: zoneId
      publicNetworkAccess: 'Disabled'
    }
  }
}

resource database0 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2025-08-01' = {
  parent: server
  name: 'shopdb'
  properties: {
    charset: 'UTF8'
    collation: 'en_US.utf8'
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource shopdbConnectionString 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(dbPassword)) {
  parent: vault
  name: 'shopdb-connection-string'
  properties: {
    value: 'Host=${server.properties.fullyQualifiedDomainName};Port=5432;Username=platformowner;Password=${dbPassword};Database=shopdb;Ssl Mode=VerifyFull'
  }
}
