using OpenPlatform.AppHost;
using OpenPlatform.Hosting; // what is marked with [+] is ours, everything else is Aspire's API

var builder = DistributedApplication.CreateBuilder(Ports.WithDashboardPort(args));

// Secrets: taken from configuration (Parameters:<name>), otherwise generated once and kept in the user secrets.
var adminToken = builder.AddSecret("admin-token", "OPENPLATFORM_ADMIN_TOKEN");
var demoKey = builder.AddSecret("demo-key", "OPENPLATFORM_DEMO_KEY");
var serviceToken = builder.AddSecret("service-token");
var keyPepper = builder.AddSecret("key-pepper");
var envelopeKey = builder.AddSecret("envelope-key", length: 43);       // with a '=' the base64 of 32 bytes
var gatewayLeaseKey = builder.AddSecret("gateway-lease-key");
var ordersLeaseKey = builder.AddSecret("orders-lease-key");

var catalogDb = builder.AddPostgres("postgres").WithDataVolume().AddDatabase("catalogdb");
var redis = builder.AddRedis("redis").WithDataVolume();

var catalog = builder.AddProject<Projects.OpenPlatform_Catalog>("catalog")
    .WithReference(catalogDb).WaitFor(catalogDb)
    .WithReference(redis)                                            // pokes only: the catalog runs without it
    .WithEnvironment("OpenPlatform__AdminToken", adminToken)
    .WithEnvironment("OpenPlatform__ServiceToken", serviceToken)
    .WithEnvironment("OpenPlatform__KeyPepper", keyPepper)
    .WithEnvironment("OpenPlatform__EnvelopeKey", $"{envelopeKey}=")
    .WithLocalEnvironment("OpenPlatform__DemoKey", demoKey)
    .WithPublicPort("OPENPLATFORM_CATALOG_PORT").WithTokenIssuer()
    .WithMigrations("--migrate").WithOutboundTraffic().WithResources(cpu: 0.5, memoryMiB: 512).WithAutoscale(2, 6) // [+] deployed
    .WithOperatorPort(8090)                                          // [+]
    .WithHttpHealthCheck("/health");

var orders = builder.AddProject<Projects.Orders>("orders")
    .WithReplicas(3)
    .WithEndpoint("http", endpoint => endpoint.Port = null)          // any free port: callers go through the gateway
    .WithReference(redis).WaitFor(redis)
    .WithEnvironment("OpenPlatform__Leases__Key", ordersLeaseKey)
    .WithAddressableInstances("OpenPlatform__Leases__Key").WithResources(cpu: 0.25, memoryMiB: 256).WithAutoscale(3, 12) // [+] deployed; the gateway picks one
    .WithHttpHealthCheck("/health");

var gateway = builder.AddProject<Projects.OpenPlatform_Gateway>("gateway")
    .WithReplicas(2).DisableForwardedHeaders()                       // it believes its TrustedProxies and nobody else
    .WithReference(catalog).WaitFor(catalog)
    .WithReference(redis).WaitFor(redis)
    .WithReference(orders).WaitFor(orders)
    .WithEnvironment("OpenPlatform__ServiceToken", serviceToken)
    .WithEnvironment("OpenPlatform__KeyPepper", keyPepper)
    .WithEnvironment("OpenPlatform__EnvelopeKey", $"{envelopeKey}=")
    .WithEnvironment("OpenPlatform__Leases__Key", gatewayLeaseKey)
    .WithEnvironment("OpenPlatform__Leases__Keys__gateway", gatewayLeaseKey)
    .WithEnvironment("OpenPlatform__Leases__Keys__orders", ordersLeaseKey)
    .WithStateDirectory("OpenPlatform__StateDirectory")              // [+] last good snapshot, usage spool
    .WithPrivatePort("OpenPlatform__Gateway__PrivatePort__Url").WithOutboundTraffic()                                // [+] probes
    .WithResources(cpu: 1, memoryMiB: 512).WithAutoscale(3, 30, inFlightPerCore: 200)                                // [+] deployed
    .WithPublicPort("OPENPLATFORM_GATEWAY_PORT").WithProxyNetworks("OpenPlatform__Gateway__Context__TrustedProxies") // [+] deployed
    .WithHttpHealthCheck("/health").WithExternalHttpEndpoints();

builder.AddKubernetesEnvironment("k8s").WithFiles("Monitoring");    // [+] alert rules and dashboard
builder.AddDockerComposeEnvironment("compose");
builder.AddAzureContainerAppEnvironment("azure");
builder.AddWelcome(gateway, catalog, demoKey, adminToken);
builder.Build().Run();
