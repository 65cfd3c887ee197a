using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Hosting.Publishing.Azure;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>
/// What AppHost.cs says, found again in every target: read from its resources on one side and from the written files on the other. The network policies of Kubernetes have
/// more to say: <see cref="Kubernetes.FlowTests"/>.
/// </summary>
public sealed class TargetTests
{
    [Fact]
    public async Task Each_reference_of_the_AppHost_can_be_followed_in_Compose_and_on_Azure()
    {
        var compose = await Published.AppHostAsync("compose");
        var services = Services(compose);
        var apps = await AppsAsync();
        var references = References(compose);
        Assert.NotEmpty(references);
        Assert.All(references, flow =>
        {
            Assert.NotEmpty(Networks(services[flow.From]!).Intersect(Networks(services[flow.To.Name]!)));
            Assert.Contains(Environment(services[flow.From]!).Concat(Mounted(compose, flow.From)), value => value.Contains(flow.To.Name, StringComparison.Ordinal));
            var caller = apps[flow.From];
            if (flow.To is PostgresServerResource or RedisResource)
            {
                // A managed server is known by its connection string alone, which is a secret.
                var name = flow.To is RedisResource ? flow.To.Name : "catalogdb";
                Assert.Contains($"{name}-connection-string", Secrets(caller));
            }
            else
            {
                Assert.NotNull(Ingress(apps[flow.To.Name]));
                Assert.Contains($"http://{flow.To.Name}:80", Values(caller));
            }
        });

        // And nothing else: who is not referred to and not external has no way in, and who does not refer to a server does not know it.
        Assert.Equal(references.Select(static r => r.To.Name).Concat(External(compose)).Intersect(apps.Keys).Order().Distinct(), apps.Where(static a => Ingress(a.Value) is not null).Select(static a => a.Key).Order());
        Assert.Equal(references.Where(static r => r.To is PostgresServerResource).Select(static r => r.From), apps.Where(static a => Secrets(a.Value).Contains("catalogdb-connection-string")).Select(static a => a.Key));
    }

    [Fact]
    public async Task Each_external_endpoint_is_the_way_in_everywhere_and_no_other_is()
    {
        var compose = await Published.AppHostAsync("compose");
        var external = External(compose);
        Assert.NotEmpty(external);

        var doors = (await Published.AppHostAsync("k8s")).Base().Where(static o => o.Kind == "Ingress").Select(static o => o.Name);
        Assert.Equal(external, doors);

        var open = Services(compose).SelectMany(static s => s.Value!["ports"] as JsonArray ?? []).Select(static p => (string)p!).Where(static p => !p.StartsWith("127.0.0.1:", StringComparison.Ordinal));
        Assert.Equal(external.Select(static e => e.ToUpperInvariant()), open.Select(static p => p["${".Length..p.IndexOf("_PORT", StringComparison.Ordinal)]));

        Assert.Equal(external, (await AppsAsync()).Where(static a => (bool?)Ingress(a.Value)?["external"] == true).Select(static a => a.Key));
    }

    [Fact]
    public async Task Each_replica_count_and_bound_is_in_all_three_targets()
    {
        var kubernetes = (await Published.AppHostAsync("k8s")).Base();
        var compose = await Published.AppHostAsync("compose");
        var apps = await AppsAsync();
        var resources = compose.Resources.OfType<IComputeResource>().ToArray();
        Assert.Contains(resources, static r => r.HasAnnotationOfType<AutoscaleAnnotation>());
        foreach (var resource in resources)
        {
            var bounds = resource.Annotations.OfType<AutoscaleAnnotation>().LastOrDefault()?.Bounds;
            var wanted = (Min: bounds?.Min ?? resource.GetReplicaCount(), Max: bounds?.Max ?? resource.GetReplicaCount());

            var scaler = kubernetes.SingleOrDefault(o => o.Kind == "HorizontalPodAutoscaler" && o.Name == resource.Name);
            var fixedCount = kubernetes.Single(o => o.Kind is "Deployment" or "StatefulSet" && o.Name == resource.Name).At("spec", "replicas");
            Assert.Equal(wanted, ((int)(scaler?.At("spec", "minReplicas") ?? fixedCount)!, (int)(scaler?.At("spec", "maxReplicas") ?? fixedCount)!));

            var service = Services(compose)[resource.Name]!;
            Assert.Equal(wanted, ((int)service["deploy"]!["replicas"]!, (int)(service["x-scale"]?["max"] ?? service["deploy"]!["replicas"])!));

            if (resource is not (PostgresServerResource or RedisResource))
            {
                var scale = Manifest.In(apps[resource.Name], "properties", "template", "scale")!;
                Assert.Equal(wanted, ((int)scale["minReplicas"]!, (int)scale["maxReplicas"]!));
                var rules = (scale["rules"] as JsonArray ?? []).ToDictionary(static r => (string)r!["name"]!, static r => r!);
                Assert.Equal(bounds?.CpuPercent.ToString(), (string?)Manifest.In(rules.GetValueOrDefault("cpu"), "custom", "metadata", "value"));
                // So many for each core that an instance has there, and twenty a second for each of them.
                var cores = (double)Manifest.In(apps[resource.Name], "properties", "template", "containers", 0, "resources", "cpu")!;
                Assert.Equal(bounds?.InFlightPerCore is { } inFlight ? $"{inFlight * cores * 20}" : null, (string?)Manifest.In(rules.GetValueOrDefault("http"), "http", "metadata", "concurrentRequests"));
            }
        }
    }

    [Fact]
    public async Task No_secret_is_in_any_file_of_any_target_and_each_has_a_way_to_be_supplied()
    {
        var usual = await Published.AppHostAsync("azure");
        string[] sentinels = [.. usual.Model.Secrets.Select(static s => $"--Parameters:{s.Name}=SENTINEL-{s.Name}-0123456789")];
        (string Environment, string Guide, Func<string, string> Way)[] targets =
        [
            ("k8s", "README.md", static name => $"--from-literal={name}="),
            ("compose", "secrets.sh", static name => $"value {name}; "),
            ("azure", "infra/README.md", static name => $"| `{name}` | "),
        ];
        foreach (var (environment, guide, way) in targets)
        {
            var published = await Published.AppHostAsync(environment, sentinels);
            Assert.Equal((await Published.AppHostAsync(environment)).Files, published.Files);
            Assert.DoesNotContain(published.Files, static f => f.Value.Contains("SENTINEL", StringComparison.Ordinal));
            Assert.All(published.Model.Secrets, s => Assert.Contains(way(s.Name), published.Files[guide], StringComparison.Ordinal));
        }
    }

    private static (string From, IResource To)[] References(Published published) =>
    [
        .. published.Resources.OfType<IComputeResource>()
            .SelectMany(static r => r.Annotations.OfType<ResourceRelationshipAnnotation>().Where(static a => a.Type == "Reference").Select(a => (From: r.Name, To: a.Resource is IResourceWithParent child ? child.Parent : a.Resource)))
            .Where(static r => r.To is IComputeResource && r.From != r.To.Name).Distinct(),
    ];

    private static string[] External(Published published) => [.. published.Resources.OfType<IComputeResource>().Where(static r => r.Annotations.OfType<EndpointAnnotation>().Any(static e => e.IsExternal)).Select(static r => r.Name)];

    private static JsonObject Services(Published compose) => Manifest.Documents(compose.Files["compose.yaml"]).Single()!["services"]!.AsObject();

    private static IEnumerable<string> Networks(JsonNode service) => service["networks"]!.AsArray().Select(static n => (string)n!);

    private static IEnumerable<string> Environment(JsonNode service) => (service["environment"] as JsonObject ?? []).Select(static v => $"{v.Value}");

    /// <summary>What the script writes into the secrets of a service.</summary>
    private static IEnumerable<string> Mounted(Published compose, string service) => compose.Files["secrets.sh"].Split('\n').Where(l => l.Contains($"> secrets/{service}/", StringComparison.Ordinal));

    private static async Task<IReadOnlyDictionary<string, JsonObject>> AppsAsync() =>
        (await AzureFolder.ResourcesAsync("AppHost")).Where(static r => (string?)r["type"] == "Microsoft.App/containerApps").ToDictionary(static r => (string)r["name"]!);

    private static JsonNode? Ingress(JsonObject app) => Manifest.In(app, "properties", "configuration", "ingress");

    private static IEnumerable<string> Secrets(JsonObject app) => (Manifest.In(app, "properties", "configuration", "secrets") as JsonArray ?? []).Select(static s => (string)s!["name"]!);

    private static IEnumerable<string> Values(JsonObject app) => Manifest.In(app, "properties", "template", "containers", 0, "env")!.AsArray().Select(static v => (string?)v!["value"]).OfType<string>();
}
