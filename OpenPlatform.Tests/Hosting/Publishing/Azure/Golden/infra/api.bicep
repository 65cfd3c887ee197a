// api: its container app.

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

resource app 'Microsoft.App/containerApps@2026-07-01' = {
  name: 'api'
  location: location
  tags: {
    'azd-env-name': environmentName
    'azd-service-name': 'api'
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
        external: true
        targetPort: 8080
        transport: 'auto'
        allowInsecure: false
      }
      registries: [
        {
          server: registryServer
          identity: identityId
        }
      ]
      secrets: [
        {
          name: 'cache-connection-string'
          keyVaultUrl: '${vaultUri}secrets/cache-connection-string'
          identity: identityId
        }
        {
          name: 'shopdb-connection-string'
          keyVaultUrl: '${vaultUri}secrets/shopdb-connection-string'
          identity: identityId
        }
        {
          name: 'api-token'
          keyVaultUrl: '${vaultUri}secrets/api-token'
          identity: identityId
        }
      ]
    }
    template: {
      terminationGracePeriodSeconds: 40
      initContainers: [
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
        }
      ]
      containers: [
        {
          name: 'api'
          image: imageName
          env: [
            {
              name: 'ASPNETCORE_FORWARDEDHEADERS_ENABLED'
              value: 'true'
            }
            {
              name: 'ConnectionStrings__cache'
              secretRef: 'cache-connection-string'
            }
            {
              name: 'ConnectionStrings__shopdb'
              secretRef: 'shopdb-connection-string'
            }
            {
              name: 'GREETING'
              value: 'costs $(nothing) & <more>: yes'
            }
            {
              name: 'HTTP_PORTS'
              value: '8080'
            }
            {
              name: 'MAIL_SMTP'
              value: 'tcp://mail:25'
            }
            {
              name: 'OTEL_DOTNET_EXPERIMENTAL_OTLP_RETRY'
              value: 'in_memory'
            }
            {
              name: 'TOKEN'
              secretRef: 'api-token'
            }
            {
              name: 'services__mail__smtp__0'
              value: 'tcp://mail:25'
            }
            {
              name: 'OTEL_SERVICE_NAME'
              value: 'api'
            }
          ]
          resources: {
            cpu: json('0.5')
            memory: '1Gi'
          }
          probes: [
            {
              type: 'Startup'
              httpGet: {
                path: '/alive'
                port: 8080
              }
              periodSeconds: 6
              timeoutSeconds: 2
              failureThreshold: 10
            }
            {
              type: 'Readiness'
              httpGet: {
                path: '/health'
                port: 8080
              }
              periodSeconds: 2
              timeoutSeconds: 2
              failureThreshold: 2
            }
            {
              type: 'Liveness'
              httpGet: {
                path: '/alive'
                port: 8080
              }
              periodSeconds: 10
              timeoutSeconds: 2
              failureThreshold: 6
            }
          ]
        }
      ]
      scale: {
        minReplicas: 2
        maxReplicas: 8
        rules: [
          {
            name: 'http'
            http: {
              metadata: {
                concurrentRequests: '1000'
              }
            }
          }
          {
            name: 'cpu'
            custom: {
              type: 'cpu'
              metadata: {
                type: 'Utilization'
                value: '60'
              }
            }
          }
        ]
      }
    }
  }
}

@description('Where it answers.')
output SERVICE_API_URI string = 'https://${app.properties.configuration.ingress.fqdn}'
