using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;
using static OpenPlatform.Hosting.Publishing.Azure.Modules.ModuleParts;

namespace OpenPlatform.Hosting.Publishing.Azure.Modules;

/// <summary>Where images come from and containers run.</summary>
internal static class PlatformModules
{
    public static BicepFile Environment() => new("The environment of the container apps: logs, zones, and the Aspire dashboard.")
    {
        Location, Tags, Token(),
        new BicepParameter("subnetId", "string", "The subnet of the apps."),
        new BicepParameter("zoneRedundant", "bool", "Spreads apps over three zones; cannot be changed later."),
        new BicepParameter("logRetentionDays", "int", "How long logs are kept."),
        new BicepResource("logs", AzureTypes.Logs, Named("log", new BicepMap { ["sku"] = new BicepMap { ["name"] = "PerGB2018" }, ["retentionInDays"] = Symbol("logRetentionDays") })),
        new BicepResource("environment", AzureTypes.Environment, Named("cae", new BicepMap
        {
            ["zoneRedundant"] = Symbol("zoneRedundant"),
            ["vnetConfiguration"] = new BicepMap { ["infrastructureSubnetId"] = Symbol("subnetId"), ["internal"] = false },
            ["workloadProfiles"] = new BicepList { new BicepMap { ["name"] = ContainerApp.Profile, ["workloadProfileType"] = ContainerApp.Profile } },
            // Between apps, so that http inside is no clear text on a wire.
            ["peerTrafficConfiguration"] = new BicepMap { ["encryption"] = new BicepMap { ["enabled"] = true } },
            ["appLogsConfiguration"] = new BicepMap
            {
                ["destination"] = "log-analytics",
                ["logAnalyticsConfiguration"] = new BicepMap { ["customerId"] = Symbol("logs.properties.customerId"), ["sharedKey"] = Symbol("logs.listKeys().primarySharedKey") },
            },
        })),
        new BicepResource("dashboard", AzureTypes.Dashboard, new()
        {
            ["parent"] = Symbol("environment"),
            ["name"] = "aspire-dashboard",
            ["properties"] = new BicepMap { ["componentType"] = "AspireDashboard" },
        }),
        new BicepOutput("name", "string", Symbol("environment.name"), "Of the environment."),
        new BicepOutput("id", "string", Symbol("environment.id"), "Of the environment."),
        new BicepOutput("domain", "string", Symbol("environment.properties.defaultDomain"), "Apps answer below it."),
    };

    public static BicepFile Registry() => new("The registry of the images. Nobody logs in by a password: identities pull, whoever deploys pushes as himself.")
    {
        Location, Tags, Token(),
        new BicepResource("registry", AzureTypes.Registry, WithSku(new()
        {
            ["name"] = Text("cr", Symbol("token")),
            ["location"] = Symbol("location"),
            ["tags"] = Symbol("tags"),
        }, "Standard", new BicepMap { ["adminUserEnabled"] = false, ["anonymousPullEnabled"] = false })),
        new BicepOutput("name", "string", Symbol("registry.name"), "Of the registry."),
        new BicepOutput("endpoint", "string", Symbol("registry.properties.loginServer"), "Where images are pushed to and pulled from."),
    };
}
