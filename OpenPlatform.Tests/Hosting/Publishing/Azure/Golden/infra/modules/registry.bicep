// The registry of the images. Nobody logs in by a password: identities pull, whoever deploys pushes as himself.

@description('Region.')
param location string

@description('Of every resource; azd finds its environment by them.')
param tags object

@description('Makes names unique in the world.')
@minLength(13)
param token string

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' = {
  name: 'cr${token}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

@description('Of the registry.')
output name string = registry.name

@description('Where images are pushed to and pulled from.')
output endpoint string = registry.properties.loginServer
