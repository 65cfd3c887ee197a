using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>Who may talk to whom: what the AppHost refers to, name resolution, the collector, and nothing else.</summary>
internal sealed class NetworkPolicies(DeploymentModel model, KubernetesValues values)
{
    public YamlMap DenyAll() => Policy($"{model.Name}-deny-all", new YamlMap { ["matchLabels"] = new YamlMap { [KubernetesNames.PartOfLabel] = model.Name } }, [], []);

    public IEnumerable<YamlNode> Of(ServiceModel service)
    {
        yield return Policy(service.Name, Pods(service.Name), YamlNode.List(Callers(service)), Called(service));
        if (service.Migrations is not null)
        {
            var name = ServiceObjects.MigrationName(service);
            yield return Policy(name, Pods(name), [], [.. NameResolution(), .. Flows(service).Where(f => model.Service(f.To).Kind == ServiceKind.Postgres).SelectMany(To)]);
        }

        if (service.Kind == ServiceKind.Postgres)
        {
            var name = Databases.BackupName(service);
            yield return Policy(name, Pods(name), [], [.. NameResolution(), Rule("to", new YamlList { Peer(service.Name) }, service.Endpoints.Select(e => e.Port))]);
        }
    }

    /// <summary>The operator's pods: callers, one another, and the operator.</summary>
    public YamlNode Operated(ServiceModel server) => new ChartWhen(new(values.NetworkPolicies), Policy($"{server.Name}-cluster", Operator(server), new YamlList
    {
        Rule("from", YamlNode.List(CallersOf(server).Select(Peer).Append(new YamlMap { ["podSelector"] = Operator(server) })), [5432]),
        Rule("from", new YamlList { new YamlMap { ["podSelector"] = Operator(server) }, Namespace("cnpg-system") }, [8000]),
    }, egress: null));

    private static YamlMap Operator(ServiceModel server) => new() { ["matchLabels"] = new YamlMap { ["cnpg.io/cluster"] = server.Name } };

    private IEnumerable<YamlNode> Callers(ServiceModel service)
    {
        foreach (var ports in model.Flows.Where(f => f.To == service.Name).GroupBy(f => string.Join(',', f.Ports)))
        {
            yield return Rule("from", YamlNode.List(ports.SelectMany(f => Names(f, service)).Distinct().Select(Peer)), ports.First().Ports);
        }

        if (service.Kind == ServiceKind.Postgres)
        {
            yield return Rule("from", new YamlList { Peer(Databases.BackupName(service)) }, service.Endpoints.Select(e => e.Port));
        }

        if (service.IsExternal)
        {
            yield return Rule("from", new YamlList { Namespace(values.IngressNamespace) }, service.Endpoints.Where(e => e.IsExternal).Select(e => e.Port));
        }
    }

    private IEnumerable<string> CallersOf(ServiceModel server) => model.Flows.Where(f => f.To == server.Name).SelectMany(f => Names(f, server)).Distinct();

    /// <summary>A service that migrates a database has a Job that calls it too.</summary>
    private IEnumerable<string> Names(FlowModel flow, ServiceModel to) => to.Kind == ServiceKind.Postgres && model.Service(flow.From).Migrations is not null
        ? [flow.From, ServiceObjects.MigrationName(model.Service(flow.From))]
        : [flow.From];

    private YamlList Called(ServiceModel service)
    {
        var rules = new YamlList();
        foreach (var rule in NameResolution().Concat(Flows(service).SelectMany(To)))
        {
            rules.Add(rule);
        }

        if (service.Kind == ServiceKind.Project)
        {
            rules.Add(Rule("to", new YamlList { new YamlMap { ["namespaceSelector"] = new YamlMap() } }, [4317, 4318]));
        }

        if (service.CallsOutside)
        {
            rules.Add(Rule("to", Everywhere(), []));
        }

        return rules;
    }

    private IEnumerable<FlowModel> Flows(ServiceModel service) => model.Flows.Where(f => f.From == service.Name);

    private IEnumerable<YamlNode> To(FlowModel flow)
    {
        var to = model.Service(flow.To);
        var own = Rule("to", new YamlList { Peer(to.Name) }, flow.Ports);
        if (to.Kind is not (ServiceKind.Postgres or ServiceKind.Redis))
        {
            yield return own;
            yield break;
        }

        var mode = values.Mode(to);
        YamlNode elsewhere = Rule("to", Everywhere(), flow.Ports);
        if (to.Kind == ServiceKind.Postgres)
        {
            elsewhere = new ChartWhen(new(mode, "cloudnative-pg"), Rule("to", new YamlList { new YamlMap { ["podSelector"] = Operator(to) } }, flow.Ports), elsewhere);
        }

        yield return new ChartWhen(new(mode, "statefulset"), own, elsewhere);
    }

    private static IEnumerable<YamlNode> NameResolution()
    {
        yield return new YamlMap
        {
            ["to"] = new YamlList { new YamlMap { ["namespaceSelector"] = new YamlMap() } },
            ["ports"] = new YamlList { new YamlMap { ["protocol"] = "UDP", ["port"] = 53 }, new YamlMap { ["protocol"] = "TCP", ["port"] = 53 } },
        };
    }

    private YamlList Everywhere() =>
    [
        new YamlMap { ["ipBlock"] = new YamlMap { ["cidr"] = "0.0.0.0/0", ["except"] = values.OutsideExcept } },
        new YamlMap { ["ipBlock"] = new YamlMap { ["cidr"] = "::/0", ["except"] = YamlNode.Texts(["fe80::/10"]) } },
    ];

    private YamlMap Peer(string name) => new() { ["podSelector"] = Pods(name) };

    private YamlMap Pods(string name) => new() { ["matchLabels"] = KubernetesNames.Selector(model, name) };

    private static YamlMap Namespace(YamlNode name) => new() { ["namespaceSelector"] = new YamlMap { ["matchLabels"] = new YamlMap { ["kubernetes.io/metadata.name"] = name } } };

    private static YamlMap Namespace(string name) => Namespace((YamlNode)name!);

    /// <param name="ports">None: every port.</param>
    private static YamlMap Rule(string direction, YamlList peers, IEnumerable<int> ports) => new()
    {
        [direction] = peers,
        ["ports"] = ports.ToArray() is { Length: > 0 } some ? YamlNode.List(some.Select(p => new YamlMap { ["protocol"] = "TCP", ["port"] = p })) : null,
    };

    /// <param name="egress">Null: not restricted.</param>
    private YamlMap Policy(string name, YamlMap pods, YamlList ingress, YamlList? egress) => KubernetesNames.Object(model, "networking.k8s.io/v1", "NetworkPolicy", name, new YamlMap
    {
        ["podSelector"] = pods,
        ["policyTypes"] = YamlNode.Texts(egress is null ? ["Ingress"] : ["Ingress", "Egress"]),
        ["ingress"] = ingress.Count > 0 ? ingress : null,
        ["egress"] = egress is { Count: > 0 } ? egress : null,
    });
}
