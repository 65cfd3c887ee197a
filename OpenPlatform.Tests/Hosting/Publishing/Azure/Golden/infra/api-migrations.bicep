// api-migrations: a job that migrates the database of api when somebody starts it. A rollout does so by itself.

@description('Name of azd\'s environment.')
param environmentName string

@description('Region.')
param location string

@description('The environment that it runs in.')
param containerAppsEnvironmentName string

@description('The identity that pulls its image and reads its secrets, and nothing else.')
param identityId string

@description('The registry of its image.')
param registryServer string

@description('Its image, with registry and tag.')
param imageName string

@description('The vault of its secrets, ending with a slash.')
param vaultUri string

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' existing = {
  name: containerAppsEnvironmentName
}

resource job 'Microsoft.App/jobs@2026-07-01' = {
  name: 'api-migrations'
  location: location
  tags: {
    'azd-env-name': environmentName
    'azd-service-name': 'api-migrations'
  }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Manual'
      replicaTimeout: 3600
      replicaRetryLimit: 1
      manualTriggerConfig: {
        parallelism: 1
        replicaCompletionCount: 1
      }
      registries: [
        {
          server: registryServer
          identity: identityId
        }
      ]
      secrets: [
        {
          name: 'shopdb-connection-string'
          keyVaultUrl: '${vaultUri}secrets/shopdb-connection-string'
          identity: identityId
        }
      ]
    }
    template: {
      containers: [
        {
          name: 'migrations'
          image: imageName
          args: [
            '--migrate'
          ]
          env: [
            {
              name: 'ConnectionStrings__shopdb'
              secretRef: 'shopdb-connection-string'
            }
          ]
          resources: {
            cpu: json('0.5')
            memory: '1Gi'
          }
        }
      ]
    }
  }
}
