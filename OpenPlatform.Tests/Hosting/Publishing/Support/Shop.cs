using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>A small application that has one of everything a deployment can be told, and that changes only when a test wants it.</summary>
internal sealed record Shop(IDistributedApplicationBuilder Builder, IResourceBuilder<ProjectResource> Api)
{
    /// <summary>What an environment writes for it.</summary>
    public static Task<Published> PublishAsync(string environment)
    {
        // Next to the projects, so that paths between them are the same on every machine; and the same tag for every commit.
        var builder = new DistributedApplicationBuilder(new DistributedApplicationOptions
        {
            Args = ["--operation", "publish", "--image-tag", "0.1.0"], DisableDashboard = true, AssemblyName = "OpenPlatform.Tests", ProjectDirectory = Path.Combine(Repository.Root, "OpenPlatform.AppHost"),
        });
        Add(builder);
        return Published.OfAsync(builder, environment);
    }

    public static Shop Add(IDistributedApplicationBuilder builder)
    {
        var password = builder.AddParameter("db-password", secret: true);
        var token = builder.AddParameter("api-token", secret: true);
        var database = builder.AddPostgres("db", password: password).WithDataVolume().AddDatabase("shopdb");
        var cache = builder.AddRedis("cache").WithDataVolume();
        var mail = builder.AddContainer("mail", "registry.example.com/mail", "1.2").WithEndpoint(targetPort: 25, name: "smtp").WithVolume("queue", "/queue");
        // Any project with launch settings of its own.
        var api = builder.AddProject("api", Path.Combine(Repository.Root, "samples", "Orders", "Orders.csproj"))
            .WithReference(database).WaitFor(database)
            .WithReference(cache)
            .WithReference(mail.GetEndpoint("smtp"))
            .WithEnvironment("TOKEN", token)
            .WithEnvironment("GREETING", "costs $(nothing) & <more>: yes")
            .WithMigrations("--migrate")
            .WithOutboundTraffic()
            .WithResources(cpu: 0.5, memoryMiB: 384)
            .WithAutoscale(2, 8, cpuPercent: 60, inFlightPerCore: 100)
            .WithHttpHealthCheck("/health")
            .WithExternalHttpEndpoints();
        builder.AddProject("back-office", Path.Combine(Repository.Root, "samples", "Orders", "Orders.csproj"))
            .WithReference(api)
            .WithStateDirectory("STATE")
            .WithPrivatePort("PRIVATE_URL")
            .WithAddressableInstances()
            .WithReplicas(2);
        builder.AddKubernetesEnvironment("k8s");
        builder.AddDockerComposeEnvironment("compose");
        builder.AddAzureContainerAppEnvironment("azure");
        return new(builder, api);
    }
}
