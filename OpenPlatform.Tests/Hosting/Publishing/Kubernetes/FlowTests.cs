using System.Globalization;
using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.Publishing.Kubernetes;

/// <summary>What AppHost.cs says, found again in what is deployed: read from its resources on one side and from the written files on the other.</summary>
public sealed class FlowTests
{
    [Fact]
    public async Task Each_reference_of_the_AppHost_is_an_allowed_flow_and_nothing_else_is()
    {
        var published = await Variants.AppHostAsync("");
        var policies = published.Base().Where(o => o.Kind == "NetworkPolicy").ToArray();
        var references = published.Resources.OfType<IComputeResource>()
            .SelectMany(r => r.Annotations.OfType<ResourceRelationshipAnnotation>().Where(a => a.Type == "Reference").Select(a => (From: r.Name, To: Owner(a.Resource))))
            .Where(r => r.To is IComputeResource && r.From != r.To.Name)
            .Select(r => (r.From, To: r.To.Name)).Distinct().ToArray();

        Assert.NotEmpty(references);
        Assert.All(references, flow => Assert.True(Allows(policies, flow.From, flow.To), $"{flow.From} may not call {flow.To}."));

        // Jobs of a service act for it.
        string[] jobs = ["catalog-migrate", "postgres-backup"];
        var pods = published.Resources.OfType<IComputeResource>().Select(r => r.Name).ToArray();
        var allowed = from a in pods from b in pods where a != b && Allows(policies, a, b) select (a, b);
        Assert.Equal(references.Order(), allowed.Order());
        Assert.All(jobs, job => Assert.Equal(["postgres"], pods.Where(p => Allows(policies, job, p))));
    }

    [Fact]
    public async Task Who_is_not_named_may_not_call_and_all_pods_are_behind_a_policy()
    {
        var objects = (await Variants.AppHostAsync("")).Base();
        var policies = objects.Where(o => o.Kind == "NetworkPolicy").ToArray();

        Assert.All(objects.Where(o => o.PodTemplate is not null), o =>
            Assert.Contains(policies, p => p.At("spec", "egress") is not null && Selects(p.At("spec", "podSelector"), Labels(o))));
        Assert.False(Allows(policies, "orders", "postgres"));
        Assert.False(Allows(policies, "gateway", "postgres"));
        // The door of the platform is open to the ingress controller, and to nobody else's pods.
        var gateway = policies.Single(p => p.Name == "gateway");
        Assert.All(gateway.Items("spec", "ingress").SelectMany(r => r["from"]!.AsArray()), peer => Assert.Equal("ingress-nginx", (string?)Manifest.In(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name")));
    }

    [Fact]
    public async Task Only_who_calls_addresses_that_the_AppHost_does_not_know_may_leave_the_cluster_and_never_for_link_local_ones()
    {
        var published = await Variants.AppHostAsync("");
        var outside = published.Base().Where(o => o.Kind == "NetworkPolicy" && o.Items("spec", "egress").SelectMany(r => r["to"]!.AsArray()).Any(p => p!["ipBlock"] is not null)).ToArray();

        Assert.Equal(["catalog", "gateway"], outside.Select(o => o.Name).Order());
        Assert.All(outside.SelectMany(o => o.Items("spec", "egress")).SelectMany(r => r["to"]!.AsArray()).Where(p => p!["ipBlock"] is not null),
            peer => Assert.NotEmpty(peer!["ipBlock"]!["except"]!.AsArray()));
    }

    [Theory]
    [InlineData("", "Ingress")]
    [InlineData("--Kubernetes:Ingress=HttpRoute", "HTTPRoute")]
    public async Task Each_external_endpoint_is_an_ingress_with_TLS_and_no_other_is(string variant, string kind)
    {
        var published = await Variants.AppHostAsync(variant);
        var external = published.Resources.OfType<IComputeResource>().Where(r => r.Annotations.OfType<EndpointAnnotation>().Any(e => e.IsExternal)).Select(r => r.Name);
        var doors = published.Base().Where(o => o.Kind is "Ingress" or "HTTPRoute").ToArray();

        Assert.Equal(external, doors.Select(d => d.Name));
        Assert.All(doors, door => Assert.Equal(kind, door.Kind));
        Assert.All(doors, door => Assert.True(door.Kind == "HTTPRoute" ? door.Text("spec", "parentRefs", 0, "sectionName") == "https"
            : door.Text("spec", "tls", 0, "hosts", 0) == door.Text("spec", "rules", 0, "host") && door.Text("spec", "tls", 0, "secretName").Length > 0));
        Assert.All(published.Base().Where(o => o.Kind == "Service"), service => Assert.Null(service.At("spec", "type")));
    }

    [Fact]
    public async Task Each_replica_count_bound_and_resource_of_the_model_is_in_the_target()
    {
        var published = await Variants.AppHostAsync("");
        var objects = published.Base();
        foreach (var resource in published.Resources.OfType<IComputeResource>())
        {
            var workload = objects.Single(o => o.Kind is "Deployment" or "StatefulSet" && o.Name == resource.Name);
            var scaler = objects.SingleOrDefault(o => o.Kind == "HorizontalPodAutoscaler" && o.Name == resource.Name);
            if (resource.Annotations.OfType<AutoscaleAnnotation>().LastOrDefault()?.Bounds is { } bounds)
            {
                Assert.Equal((bounds.Min, bounds.Max), ((int)scaler!.At("spec", "minReplicas")!, (int)scaler.At("spec", "maxReplicas")!));
                Assert.Equal(bounds.CpuPercent, (int)scaler.At("spec", "metrics", 0, "resource", "target", "averageUtilization")!);
                Assert.Equal(bounds.InFlightPerCore is not null, scaler.At("spec", "metrics", 1) is not null);
                Assert.Null(workload.At("spec", "replicas"));
            }
            else
            {
                Assert.Null(scaler);
                Assert.Equal(resource.GetReplicaCount(), (int)workload.At("spec", "replicas")!);
            }

            if (resource.Annotations.OfType<ResourcesAnnotation>().LastOrDefault()?.Resources is { } wanted)
            {
                var given = workload.At("spec", "template", "spec", "containers", 0, "resources")!;
                Assert.Equal($"{(wanted.Cpu * 1000).ToString(CultureInfo.InvariantCulture)}m", (string?)Manifest.In(given, "requests", "cpu"));
                Assert.Equal($"{wanted.MemoryMiB}Mi", (string?)Manifest.In(given, "limits", "memory"));
            }
        }
    }

    [Fact]
    public async Task No_secret_is_in_any_file_and_each_has_a_way_to_be_supplied()
    {
        var usual = await Variants.AppHostAsync("");
        var secrets = usual.Resources.OfType<ParameterResource>().Where(p => p.Secret).Select(p => p.Name).Concat(["postgres-password", "redis-password"]).ToArray();

        var published = await Published.AppHostAsync("k8s", [.. secrets.Select(s => $"--Parameters:{s}=SENTINEL-{s}-0123456789")]);

        Assert.Equal(usual.Files, published.Files);
        Assert.DoesNotContain(published.Files, f => f.Value.Contains("SENTINEL", StringComparison.Ordinal));
        Assert.DoesNotContain(published.Base(), o => o.Kind == "Secret");
        Assert.All(published.Model.Secrets, secret => Assert.Contains($"--from-literal={secret.Name}=", published.Files["README.md"], StringComparison.Ordinal));
        Assert.All(published.Model.Secrets, secret => Assert.Contains(secret.Name, secrets));
        // The base64 of 32 bytes, but for its last character.
        Assert.Contains("--from-literal=envelope-key=\"$(openssl rand -base64 96 | tr -dc A-Za-z0-9 | head -c 43)\"", published.Files["README.md"], StringComparison.Ordinal);
    }

    private static IResource Owner(IResource resource) => resource is IResourceWithParent child ? child.Parent : resource;

    /// <summary>Both sides agree: the one may call, the other may be called, at a common port.</summary>
    private static bool Allows(IReadOnlyList<Manifest> policies, string from, string to)
    {
        var ports = Ports(policies, from, to, "egress", "to").Intersect(Ports(policies, to, from, "ingress", "from"));
        return ports.Any();
    }

    private static IEnumerable<int> Ports(IReadOnlyList<Manifest> policies, string name, string peer, string direction, string list) => policies
        .Where(p => Selects(p.At("spec", "podSelector"), Labels(name)))
        .SelectMany(p => p.Items("spec", direction))
        .Where(rule => rule[list]!.AsArray().Any(p => p!["podSelector"] is { } selector && Selects(selector, Labels(peer))))
        .SelectMany(rule => rule["ports"]!.AsArray().Select(p => (int)p!["port"]!));

    private static Dictionary<string, string> Labels(string name) => new() { ["app.kubernetes.io/name"] = name, ["app.kubernetes.io/part-of"] = "openplatform" };

    private static Dictionary<string, string> Labels(Manifest manifest) => Manifest.In(manifest.PodTemplate, "metadata", "labels")!.AsObject().ToDictionary(l => l.Key, l => (string)l.Value!);

    private static bool Selects(JsonNode? selector, Dictionary<string, string> labels) =>
        selector is JsonObject && (selector["matchLabels"] as JsonObject ?? []).All(l => labels.GetValueOrDefault(l.Key) == (string?)l.Value);
}
