using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace OpenPlatform.Tests.Hosting.Publishing.Kubernetes;

/// <summary>Rules that the types do not tell and only an API server, a scheduler or a kubelet would check.</summary>
public sealed partial class RuleTests
{
    public static TheoryData<string> Options => Variants.All;

    [Theory]
    [MemberData(nameof(Options))]
    public async Task Names_labels_and_ports_are_legal_and_objects_differ(string variant)
    {
        var objects = (await Variants.AppHostAsync(variant)).Base();

        Assert.Equal(objects.Count, objects.Select(o => o.Id).Distinct().Count());
        Assert.All(objects, o =>
        {
            Assert.Matches(DnsLabel(), o.Name);
            Assert.InRange(o.Name.Length, 1, 63);
            Assert.All(o.At("metadata", "labels")!.AsObject(), l => Assert.Matches(LabelValue(), (string)l.Value!));
        });
        Assert.All(objects.Where(o => o.PodTemplate is not null), o => Assert.InRange(o.Name.Length, 1, 52)); // a CronJob adds eleven characters
        Assert.All(Containers(objects).SelectMany(c => Ports(c.Container)), p =>
        {
            Assert.Matches(PortName(), (string)p["name"]!);
            Assert.InRange((int)p["containerPort"]!, 1, 65535);
        });
    }

    [Theory]
    [MemberData(nameof(Options))]
    public async Task Selectors_match_and_what_is_referred_to_is_there(string variant)
    {
        var objects = (await Variants.AppHostAsync(variant)).Base();
        var pods = objects.Where(o => o.PodTemplate is not null).ToArray();
        bool Exists(string kind, string name) => objects.Any(o => o.Kind == kind && o.Name == name);

        Assert.All(objects.Where(o => o.Kind is "Deployment" or "StatefulSet"), o => Assert.True(Matches(o.At("spec", "selector", "matchLabels"), o)));
        Assert.All(objects.Where(o => o.Kind == "PodDisruptionBudget"), o => Assert.Single(pods, p => Matches(o.At("spec", "selector", "matchLabels"), p)));
        Assert.All(objects.Where(o => o.Kind == "NetworkPolicy"), o => Assert.True(
            o.At("spec", "podSelector", "matchLabels", "cnpg.io/cluster") is not null || pods.Any(p => Matches(o.At("spec", "podSelector", "matchLabels"), p)), o.Name));
        Assert.All(objects.Where(o => o.Kind == "Service"), service =>
        {
            var served = Assert.Single(pods, p => Matches(service.At("spec", "selector"), p));
            var names = Manifest.In(served.PodTemplate, "spec", "containers")!.AsArray().SelectMany(c => Ports(c!)).ToDictionary(p => (string)p["name"]!, p => (int)p["containerPort"]!);
            Assert.All(service.Items("spec", "ports"), p =>
            {
                Assert.Contains((string)p["targetPort"]!, names);
                // Whoever resolves a headless service gets pods, where only the pod's own port counts.
                Assert.True(service.At("spec", "clusterIP") is null || names[(string)p["targetPort"]!] == (int)p["port"]!);
            });
        });
        Assert.All(objects.Where(o => o.Kind == "StatefulSet"), o => Assert.True(Exists("Service", o.Text("spec", "serviceName"))));
        Assert.All(objects.Where(o => o.Kind == "HorizontalPodAutoscaler"), o => Assert.True(Exists(o.Text("spec", "scaleTargetRef", "kind"), o.Text("spec", "scaleTargetRef", "name"))));
        Assert.All(objects.Where(o => o.Kind == "Ingress"), o => Assert.Contains(
            objects.Single(s => s.Kind == "Service" && s.Name == o.Text("spec", "rules", 0, "http", "paths", 0, "backend", "service", "name")).Items("spec", "ports"),
            p => (string?)p["name"] == o.Text("spec", "rules", 0, "http", "paths", 0, "backend", "service", "port", "name")));
        Assert.All(objects.Where(o => o.Kind == "HTTPRoute"), o => Assert.Contains(
            objects.Single(s => s.Kind == "Service" && s.Name == o.Text("spec", "rules", 0, "backendRefs", 0, "name")).Items("spec", "ports"),
            p => JsonNode.DeepEquals(p["port"], o.At("spec", "rules", 0, "backendRefs", 0, "port"))));
        Assert.All(pods, p => Assert.True(Exists("ServiceAccount", (string)Manifest.In(p.PodTemplate, "spec", "serviceAccountName")!)));
        Assert.All(Containers(objects).SelectMany(c => c.Container["envFrom"]?.AsArray() ?? []), e => Assert.True(Exists("ConfigMap", (string)e!["configMapRef"]!["name"]!)));
        Assert.All(pods.SelectMany(Volumes), v => Assert.True(v["emptyDir"] is not null
            || (v["configMap"] is { } map && Exists("ConfigMap", (string)map["name"]!))
            || (v["persistentVolumeClaim"] is { } claim && Exists("PersistentVolumeClaim", (string)claim["claimName"]!)), $"{v}"));
    }

    [Theory]
    [MemberData(nameof(Options))]
    public async Task Pods_meet_the_restricted_standard_and_mount_what_they_have(string variant)
    {
        var objects = (await Variants.AppHostAsync(variant)).Base();
        Assert.All(objects.Where(o => o.PodTemplate is not null), o =>
        {
            var pod = Manifest.In(o.PodTemplate, "spec")!;
            Assert.False((bool)pod["automountServiceAccountToken"]!);
            Assert.True((bool)Manifest.In(pod, "securityContext", "runAsNonRoot")!);
            Assert.NotEqual(0, (int)Manifest.In(pod, "securityContext", "runAsUser")!);
            Assert.Equal("RuntimeDefault", (string?)Manifest.In(pod, "securityContext", "seccompProfile", "type"));
        });
        Assert.All(Containers(objects), c =>
        {
            var security = c.Container["securityContext"]!;
            Assert.False((bool)security["allowPrivilegeEscalation"]!);
            Assert.True((bool)security["readOnlyRootFilesystem"]!);
            Assert.Equal("ALL", (string?)Manifest.In(security, "capabilities", "drop", 0));
            Assert.All([("requests", "cpu"), ("requests", "memory"), ("limits", "memory")], r => Assert.Matches(Quantity(), (string?)Manifest.In(c.Container, "resources", r.Item1, r.Item2)));
            Assert.DoesNotMatch(":latest$|/[^:@]*$", (string)c.Container["image"]!);

            var known = Volumes(c.Owner).Select(v => (string)v["name"]!).Concat(c.Owner.Items("spec", "volumeClaimTemplates").Select(v => (string)v["metadata"]!["name"]!)).ToArray();
            var mounts = c.Container["volumeMounts"]!.AsArray().Select(m => m!.AsObject()).ToArray();
            Assert.Equal(known.Order(), mounts.Select(m => (string)m["name"]!).Order());
            Assert.Equal(mounts.Length, mounts.Select(m => (string)m["mountPath"]!).Distinct().Count());
        });
    }

    [Theory]
    [MemberData(nameof(Options))]
    public async Task Variables_are_known_once_and_made_of_what_stands_above_them(string variant)
    {
        var published = await Variants.AppHostAsync(variant);
        var objects = published.Base();
        Assert.All(Containers(objects), c =>
        {
            var seen = new HashSet<string>((c.Container["envFrom"]?.AsArray() ?? []).SelectMany(e => objects.Single(o => o.Id == $"ConfigMap/{e!["configMapRef"]!["name"]}").At("data")!.AsObject().Select(d => d.Key)));
            foreach (var variable in c.Container["env"]?.AsArray() ?? [])
            {
                var name = (string)variable!["name"]!;
                Assert.Matches("^[A-Za-z_][A-Za-z0-9_]*$", name);
                Assert.All(Reference().Matches((string?)variable["value"] ?? ""), m => Assert.Contains(m.Groups["name"].Value, seen));
                Assert.True(seen.Add(name), $"{c.Owner.Id} sets {name} twice.");
                if (Manifest.In(variable, "valueFrom", "secretKeyRef") is { } secret && (string?)secret["name"] == "openplatform-secrets")
                {
                    Assert.Contains($"`{secret["key"]}`", published.Files["README.md"], StringComparison.Ordinal);
                }
            }
        });
        Assert.All(objects.Where(o => o.Kind == "ConfigMap"), o => Assert.All(o.At("data")!.AsObject(), d => Assert.Equal(System.Text.Json.JsonValueKind.String, d.Value!.GetValueKind())));
    }

    [Theory]
    [MemberData(nameof(Options))]
    public async Task Rollouts_scaling_and_budgets_never_take_more_than_one_away(string variant)
    {
        var objects = (await Variants.AppHostAsync(variant)).Base();
        Assert.All(objects.Where(o => o.Kind == "Deployment"), o =>
        {
            Assert.Equal(0, (int)o.At("spec", "strategy", "rollingUpdate", "maxUnavailable")!);
            Assert.NotNull(o.At("spec", "strategy", "rollingUpdate", "maxSurge"));
            Assert.True((int)o.At("spec", "progressDeadlineSeconds")! > (int)o.At("spec", "minReadySeconds")!);
        });
        Assert.All(objects.Where(o => o.Kind == "HorizontalPodAutoscaler"), o =>
        {
            var (min, max) = ((int)o.At("spec", "minReplicas")!, (int)o.At("spec", "maxReplicas")!);
            Assert.InRange(min, 1, max);
            Assert.All(o.Items("spec", "metrics"), m => Assert.True(m["type"]!.GetValue<string>() switch
            {
                "Resource" => (int)m["resource"]!["target"]!["averageUtilization"]! is > 0 and <= 100,
                "Pods" => int.Parse((string)m["pods"]!["target"]!["averageValue"]!) > 0,
                _ => false,
            }));
            Assert.All(["scaleUp", "scaleDown"], way =>
            {
                Assert.InRange((int)o.At("spec", "behavior", way, "stabilizationWindowSeconds")!, 0, 3600);
                Assert.All(o.Items("spec", "behavior", way, "policies"), p => Assert.True((int)p["value"]! > 0 && (int)p["periodSeconds"]! is > 0 and <= 1800));
            });
            Assert.True((int)o.At("spec", "behavior", "scaleDown", "stabilizationWindowSeconds")! >= 300);

            var budget = objects.Single(b => b.Kind == "PodDisruptionBudget" && b.Name == o.Name);
            Assert.True(budget.At("spec", "minAvailable") is null != budget.At("spec", "maxUnavailable") is null);
            // Otherwise no node could ever be drained, or all of them at once.
            Assert.InRange((int)budget.At("spec", "maxUnavailable")!, 1, min - 1);
        });
    }

    [Theory]
    [MemberData(nameof(Options))]
    public async Task A_pod_is_probed_at_its_own_ports_and_has_time_to_drain(string variant)
    {
        var objects = (await Variants.AppHostAsync(variant)).Base();
        foreach (var (owner, container) in Containers(objects).Where(c => c.Owner.Kind is "Deployment" or "StatefulSet"))
        {
            foreach (var probe in new[] { "startupProbe", "readinessProbe", "livenessProbe" })
            {
                Assert.True(container[probe] is not null, $"{owner.Id} has no {probe}.");
                Assert.True(container[probe]!["exec"] is not null || Ports(container).Any(p => JsonNode.DeepEquals(p["containerPort"], container[probe]!["httpGet"]!["port"])));
                Assert.True((int)container[probe]!["periodSeconds"]! > 0 && (int)container[probe]!["timeoutSeconds"]! > 0 && (int)container[probe]!["failureThreshold"]! > 0);
            }

            if (Manifest.In(container, "lifecycle", "preStop", "sleep", "seconds") is { } sleep)
            {
                // The gateway's own limits: propagation 1 s, drain 30 s, farewell of the usage 5 s.
                Assert.True((int)Manifest.In(owner.PodTemplate, "spec", "terminationGracePeriodSeconds")! >= (int)sleep + 1 + 30 + 5);
            }
        }

        var gateway = objects.Single(o => o.Id == "StatefulSet/gateway");
        Assert.Equal(8081, (int)gateway.At("spec", "template", "spec", "containers", 0, "readinessProbe", "httpGet", "port")!);
        Assert.DoesNotContain(objects.Where(o => o.Kind == "Service").SelectMany(s => s.Items("spec", "ports")), p => (int)p["port"]! == 8081);
    }

    [Fact]
    public async Task State_of_the_gateway_outlives_its_pods()
    {
        var gateway = (await Variants.AppHostAsync("")).Base().Single(o => o.Id == "StatefulSet/gateway");
        var mount = gateway.Items("spec", "template", "spec", "containers").Single()["volumeMounts"]!.AsArray().Single(m => (string?)m!["name"] == "state");
        Assert.Equal(gateway.Text("spec", "volumeClaimTemplates", 0, "metadata", "name"), (string?)mount!["name"]);
        Assert.Equal("Retain", gateway.Text("spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"));
    }

    [Theory]
    [InlineData("StatefulSet")]
    [InlineData("CloudNativePg")]
    public async Task A_storage_class_is_that_of_every_volume(string postgres)
    {
        var objects = (await Published.AppHostAsync("k8s", "--Kubernetes:StorageClass=fast", $"--Kubernetes:Postgres={postgres}")).Base();
        var classes = objects.Where(o => o.Kind == "StatefulSet").SelectMany(o => o.Items("spec", "volumeClaimTemplates")).Select(c => (string?)Manifest.In(c, "spec", "storageClassName"))
            .Concat(objects.Where(o => o.Kind == "PersistentVolumeClaim").Select(o => (string?)o.At("spec", "storageClassName")))
            .Concat(objects.Where(o => o.Kind == "Cluster").Select(o => (string?)o.At("spec", "storage", "storageClass"))).ToArray();
        Assert.InRange(classes.Length, 3, 4);
        Assert.All(classes, c => Assert.Equal("fast", c));
    }

    [Fact]
    public async Task The_gateway_believes_the_network_it_is_told_and_nobody_else()
    {
        async Task<JsonObject> ConfigAsync(params string[] args) => (await Published.AppHostAsync("k8s", args)).Base().Single(o => o.Id == "ConfigMap/gateway-config").At("data")!.AsObject();
        var usual = await ConfigAsync();
        Assert.DoesNotContain(usual, v => v.Key.Contains("TrustedProxies", StringComparison.Ordinal) || v.Key.Contains("FORWARDEDHEADERS", StringComparison.Ordinal));
        Assert.Equal("10.244.0.0/16", (string?)(await ConfigAsync("--Kubernetes:ProxyNetwork=10.244.0.0/16"))["OpenPlatform__Gateway__Context__TrustedProxies__0"]);
    }

    [Fact]
    public async Task Another_image_is_another_migration_because_a_Job_cannot_be_changed()
    {
        async Task<string> NameAsync(string tag) => (await Published.AppHostAsync("k8s", "--image-tag", tag)).Base().Single(o => o.Kind == "Job").Name;
        Assert.Equal(await NameAsync("1.0-a"), await NameAsync("1.0-a"));
        Assert.NotEqual(await NameAsync("1.0-a"), await NameAsync("1.0-b"));
    }

    [Fact]
    public async Task The_metrics_adapter_serves_what_the_autoscaler_asks_for_by_labels_that_pods_send()
    {
        var published = await Variants.AppHostAsync("");
        var rule = Manifest.In(Manifest.Documents(published.Files["monitoring/prometheus-adapter.yaml"]).Single()!, "rules", "custom", 0)!;
        var gateway = published.Base().Single(o => o.Id == "StatefulSet/gateway").Items("spec", "template", "spec", "containers").Single();
        var sent = ((string)gateway["env"]!.AsArray().Single(e => (string?)e!["name"] == "OTEL_RESOURCE_ATTRIBUTES")!["value"]!).Split(',').Select(a => a.Split('=')[0].Replace('.', '_')).ToArray();

        Assert.Equal(published.Base().Single(o => o.Id == "HorizontalPodAutoscaler/gateway").Text("spec", "metrics", 1, "pods", "metric", "name"), (string?)Manifest.In(rule, "name", "as"));
        var labels = Manifest.In(rule, "resources", "overrides")!.AsObject();
        Assert.Equal(["namespace", "pod"], labels.Select(l => (string?)l.Value!["resource"]).Order());
        Assert.All(labels, label => Assert.Contains(label.Key, sent));
        Assert.All(labels, label => Assert.Contains($"{label.Key}!=\"\"", (string)rule["seriesQuery"]!, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Jobs_end_and_pods_of_one_service_spread()
    {
        var objects = (await Variants.AppHostAsync("")).Base();
        Assert.All(objects.Where(o => o.Kind is "Job" or "CronJob"), o => Assert.Equal("OnFailure", (string?)Manifest.In(o.PodTemplate, "spec", "restartPolicy")));
        Assert.Matches(@"^\d+ \d+ \* \* \*$", objects.Single(o => o.Id == "CronJob/postgres-backup").Text("spec", "schedule"));
        Assert.True((bool)objects.Single(o => o.Id == "CronJob/postgres-restore").At("spec", "suspend")!);
        Assert.Equal(["--migrate"], objects.Single(o => o.Kind == "Job").At("spec", "template", "spec", "containers", 0, "args")!.AsArray().Select(a => (string?)a));
        Assert.All(["catalog", "gateway", "orders"], name =>
        {
            var spread = objects.Single(o => o.Name == name && o.Kind is "Deployment" or "StatefulSet" && o.Name == name).At("spec", "template", "spec", "topologySpreadConstraints")!.AsArray();
            Assert.Equal(["topology.kubernetes.io/zone", "kubernetes.io/hostname"], spread.Select(s => (string?)s!["topologyKey"]));
        });
    }

    [Fact]
    public async Task Postgres_under_its_operator_is_three_synchronous_and_backed_up()
    {
        var published = await Variants.AppHostAsync("--Kubernetes:Postgres=CloudNativePg");
        var objects = published.Base();
        Assert.Contains("create secret generic postgres-backup", published.Files["README.md"], StringComparison.Ordinal);
        var cluster = objects.Single(o => o.Kind == "Cluster");
        Assert.Equal(3, (int)cluster.At("spec", "instances")!);
        Assert.Equal("required", cluster.Text("spec", "postgresql", "synchronous", "dataDurability"));
        Assert.Equal("topology.kubernetes.io/zone", cluster.Text("spec", "affinity", "topologyKey"));
        Assert.Equal(cluster.Name, objects.Single(o => o.Kind == "ScheduledBackup").Text("spec", "cluster", "name"));
        Assert.Equal(6, objects.Single(o => o.Kind == "ScheduledBackup").Text("spec", "schedule").Split(' ').Length);
        Assert.DoesNotContain(objects, o => o.Kind is "StatefulSet" or "CronJob" && o.Name.StartsWith("postgres", StringComparison.Ordinal));
        // The operator makes this service and this secret.
        var env = objects.Single(o => o.Id == "Deployment/catalog").Items("spec", "template", "spec", "containers").Single()["env"]!.AsArray();
        Assert.StartsWith("Host=postgres-rw;", (string?)env.Single(e => (string?)e!["name"] == "ConnectionStrings__catalogdb")!["value"], StringComparison.Ordinal);
        Assert.Equal("postgres-superuser", (string?)Manifest.In(env.Single(e => (string?)e!["name"] == "SECRET_POSTGRES_PASSWORD"), "valueFrom", "secretKeyRef", "name"));
    }

    [Fact]
    public async Task A_managed_server_is_a_connection_string_among_the_secrets_and_nothing_else()
    {
        var published = await Published.AppHostAsync("k8s", "--Kubernetes:Postgres=Managed", "--Kubernetes:Redis=Managed");
        Assert.DoesNotContain(published.Base(), o => o.Name.StartsWith("postgres", StringComparison.Ordinal) || o.Name.StartsWith("redis", StringComparison.Ordinal));
        Assert.Contains("--from-literal=catalogdb-connection-string=", published.Files["README.md"], StringComparison.Ordinal);
        Assert.Contains("--from-literal=redis-connection-string=", published.Files["README.md"], StringComparison.Ordinal);
        Assert.DoesNotContain("postgres-password", published.Files["README.md"], StringComparison.Ordinal);
    }

    private static IEnumerable<(Manifest Owner, JsonNode Container)> Containers(IEnumerable<Manifest> objects) =>
        objects.Where(o => o.PodTemplate is not null).SelectMany(o => Manifest.In(o.PodTemplate, "spec", "containers")!.AsArray().Select(c => (o, c!)));

    private static IEnumerable<JsonNode> Ports(JsonNode container) => (container["ports"]?.AsArray() ?? []).Select(p => p!);

    private static IEnumerable<JsonNode> Volumes(Manifest owner) => (Manifest.In(owner.PodTemplate, "spec", "volumes") as JsonArray ?? []).Select(v => v!);

    private static bool Matches(JsonNode? labels, Manifest pods) =>
        labels!.AsObject().All(l => JsonNode.DeepEquals(l.Value, Manifest.In(pods.PodTemplate, "metadata", "labels", l.Key)));

    [GeneratedRegex("^[a-z]([-a-z0-9]*[a-z0-9])?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex DnsLabel();

    [GeneratedRegex("^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LabelValue();

    [GeneratedRegex("^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PortName();

    [GeneratedRegex("^[0-9]+(m|Mi|Gi)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Quantity();

    [GeneratedRegex(@"(?<!\$)\$\((?<name>[A-Za-z_][A-Za-z0-9_]*)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Reference();
}
