// Volumes: shares of files that the environment mounts.

@description('Region.')
param location string

@description('Of every resource; azd finds its environment by them.')
param tags object

@description('Makes names unique in the world.')
@minLength(13)
param token string

@description('The environment that mounts them.')
param environmentName string

@description('Copies in three zones.')
param zoneRedundant bool

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: 'st${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
  }
  properties: {
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
  }
}

resource files 'Microsoft.Storage/storageAccounts/fileServices@2025-01-01' = {
  parent: storage
  name: 'default'
  properties: {
    shareDeleteRetentionPolicy: {
      enabled: true
      days: 14
    }
  }
}

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' existing = {
  name: environmentName
}

resource mailDataShare 'Microsoft.Storage/storageAccounts/fileServices/shares@2025-01-01' = {
  parent: files
  name: 'mail-data'
  properties: {
    shareQuota: 10
  }
}

resource mailDataMount 'Microsoft.App/managedEnvironments/storages@2026-07-01' = {
  parent: environment
  name: 'mail-data'
  properties: {
    azureFile: {
      accountName: storage.name
      accountKey: storage.listKeys().keys[0].value
      shareName: mailDataShare.name
      accessMode: 'ReadWrite'
    }
  }
}
