// mail: its container app.

@description('Name of azd\'s environment.')
param environmentName string

@description('Region.')
param location string

@description('The environment that it runs in.')
param containerAppsEnvironmentName string

@description('The identity that pulls its image and reads its secrets, and nothing else.')
param identityId string

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' existing = {
  name: containerAppsEnvironmentName
}

resource app 'Microsoft.App/containerApps@2026-07-01' = {
  name: 'mail'
  location: location
  tags: {
    'azd-env-name': environmentName
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
      activeRevisionsMode: 'Single'
      maxInactiveRevisions: 10
      ingress: {
        external: false
        targetPort: 25
        exposedPort: 25
        transport: 'tcp'
      }
    }
    template: {
      terminationGracePeriodSeconds: 40
      containers: [
        {
          name: 'mail'
          image: 'registry.example.com/mail:1.2'
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          volumeMounts: [
            {
              volumeName: 'data'
              mountPath: '/queue'
            }
          ]
        }
      ]
      scale: {
        minReplicas: 1
        maxReplicas: 1
      }
      volumes: [
        {
          name: 'data'
          storageType: 'AzureFile'
          storageName: 'mail-data'
        }
      ]
    }
  }
}
