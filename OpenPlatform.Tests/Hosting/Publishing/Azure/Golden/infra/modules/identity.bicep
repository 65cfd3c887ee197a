// An identity for one service.

@description('Region.')
param location string

@description('Of every resource; azd finds its environment by them.')
param tags object

@description('Of the identity.')
param name string

@description('The registry that it may pull from.')
param registryName string

@description('The vault of the secrets.')
param vaultName string

@description('Names of the secrets that it may read, and no others.')
param secrets string[]

var pull = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')

var read = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' existing = {
  name: registryName
}

resource pulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: registry
  name: guid(registry.id, identity.id, pull)
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: pull
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' existing = [
  for name in secrets: {
    parent: vault
    name: name
  }
]

resource reads 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in secrets: {
    scope: secret[i]
    name: guid(secret[i].id, identity.id, read)
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: read
    }
  }
]

@description('Of the identity.')
output id string = identity.id
