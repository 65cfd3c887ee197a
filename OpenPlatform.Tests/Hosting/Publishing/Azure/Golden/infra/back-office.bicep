// back-office: its container app.

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

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' existing = {
  name: containerAppsEnvironmentName
}

resource app 'Microsoft.App/containerApps@2026-07-01' = {
  name: 'back-office'
  location: location
  tags: {
    'azd-env-name': environmentName
    'azd-service-name': 'back-office'
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
      registries: [
        {
          server: registryServer
          identity: identityId
        }
      ]
    }
    template: {
      terminationGracePeriodSeconds: 40
      containers: [
        {
          name: 'back-office'
          image: imageName
          env: [
            {
              name: 'API_HTTP'
              value: 'https://api.${environment.properties.defaultDomain}:443'
            }
            {
              name: 'ASPNETCORE_FORWARDEDHEADERS_ENABLED'
              value: 'true'
            }
            {
              name: 'HTTP_PORTS'
              value: '8080'
            }
            {
              name: 'OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY'
              value: 'in_memory'
            }
            {
              name: 'PRIVATE_URL'
              value: 'http://0.0.0.0:8081'
            }
            {
              name: 'STATE'
              value: '/var/lib/openplatform/state'
            }
            {
              name: 'services__api__http__0'
              value: 'https://api.${environment.properties.defaultDomain}:443'
            }
            {
              name: 'OTEL_SERVICE_NAME'
              value: 'back-office'
            }
          ]
          resources: {
            cpu: json('0.25')
            memory: '0.5Gi'
          }
          probes: [
            {
              type: 'Startup'
              httpGet: {
                path: '/startupz'
                port: 8081
              }
              periodSeconds: 6
              timeoutSeconds: 2
              failureThreshold: 10
            }
            {
              type: 'Readiness'
              httpGet: {
                path: '/readyz'
                port: 8081
              }
              periodSeconds: 2
              timeoutSeconds: 2
              failureThreshold: 2
            }
            {
              type: 'Liveness'
              httpGet: {
                path: '/livez'
                port: 8081
              }
              periodSeconds: 10
              timeoutSeconds: 2
              failureThreshold: 6
            }
          ]
          volumeMounts: [
            {
              volumeName: 'state'
              mountPath: '/var/lib/openplatform/state'
            }
          ]
        }
      ]
      scale: {
        minReplicas: 2
        maxReplicas: 2
      }
      volumes: [
        {
          name: 'state'
          storageType: 'EmptyDir'
        }
      ]
    }
  }
}
