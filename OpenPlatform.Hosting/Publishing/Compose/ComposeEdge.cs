using System.Globalization;
using System.Text;
using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Compose;

/// <summary>
/// The proxy in front: several replicas cannot hold one port of the machine, so it does. It follows replicas as they come and go (Compose's name
/// service), asks each whether it is ready, and sends again what a replica took with it when it died, unless sending twice could do something twice.
/// </summary>
internal sealed class ComposeEdge(DeploymentModel model, ComposeOptions options)
{
    internal const string Name = "edge", ConfigurationFile = "edge/haproxy.cfg";

    private const int FirstPort = 8080;

    /// <param name="Port">Of the machine, unless <paramref name="Variable"/> names another; the proxy listens at <paramref name="Inside"/>.</param>
    internal sealed record Listener(ServiceModel Service, EndpointModel Endpoint, int Port, int Inside, string Variable)
    {
        public string Published => $"{(Endpoint.IsExternal ? "" : "127.0.0.1:")}${{{Variable}:-{Port}}}:{Inside}";
    }

    /// <summary>External endpoints for everybody, from 8080 on; operators' at their port of the loopback.</summary>
    internal static IReadOnlyList<Listener> Listeners(DeploymentModel model)
    {
        var listeners = new List<Listener>();
        foreach (var (service, endpoint) in model.Services.SelectMany(static s => s.Endpoints.Select(e => (s, e))).Where(static x => x.e.IsExternal || x.e.OperatorPort is not null))
        {
            var inside = FirstPort + listeners.Count;
            listeners.Add(new(service, endpoint, endpoint.IsExternal ? FirstPort + listeners.Count(static l => l.Endpoint.IsExternal) : endpoint.OperatorPort!.Value, inside,
                $"{service.Name.ToUpperInvariant().Replace('-', '_')}_PORT"));
        }

        return listeners;
    }

    public YamlMap? Service()
    {
        var listeners = Listeners(model);
        return listeners.Count == 0 ? null : new YamlMap
        {
            ["image"] = options.EdgeImage,
            ["command"] = YamlNode.Texts(["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]),
            ["volumes"] = new YamlList { new YamlMap { ["type"] = "bind", ["source"] = $"./{ConfigurationFile}", ["target"] = "/etc/haproxy/haproxy.cfg", ["read_only"] = true } },
            ["ports"] = YamlNode.Texts(listeners.Select(static l => l.Published)),
            ["networks"] = YamlNode.Texts([ComposeFiles.Inside, ComposeFiles.Outside]),
            ["depends_on"] = new YamlMap(listeners.Select(static l => l.Service).Distinct().Select(static s => KeyValuePair.Create<string, YamlNode>(
                s.Name, new YamlMap { ["condition"] = s.Probes is null ? "service_started" : "service_healthy" }))),
            ["deploy"] = new YamlMap { ["resources"] = new YamlMap { ["limits"] = new YamlMap { ["memory"] = "256M" } } },
            ["read_only"] = true,
            ["cap_drop"] = YamlNode.Texts(["ALL"]),
            ["security_opt"] = YamlNode.Texts(["no-new-privileges:true"]),
            ["restart"] = "unless-stopped",
        };
    }

    /// <summary>Null: nothing is external.</summary>
    public string? Configuration()
    {
        var text = new StringBuilder();
        foreach (var listener in Listeners(model))
        {
            text.Append(Section(listener));
        }

        return text.Length == 0 ? null : Defaults + text;
    }

    private const string Defaults = """
        global
            maxconn 8000
            log stdout format raw local0 notice

        resolvers engine
            parse-resolv-conf
            hold valid 1s
            hold nx 1s
            hold timeout 30s

        defaults
            mode http
            log global
            option dontlognull
            option forwardfor
            option redispatch 1
            retries 2
            timeout connect 1s
            timeout queue 5s
            timeout http-request 30s
            timeout http-keep-alive 75s
            # How long a call may take is the service's decision.
            timeout client 1h
            timeout server 1h
            timeout tunnel 24h

        """;

    private const string NotRepeatable = "!METH_GET !{ method HEAD OPTIONS PUT DELETE }", IsGrpc = "{ req.hdr(content-type) -m beg application/grpc }";

    private static string Section(Listener listener)
    {
        var (service, endpoint, _, port, _) = listener;
        var check = service.Probes?.Readiness is { Path: { } path } probe ? (Path: path, probe.Port) : (Path: "/", endpoint.Port);
        var most = Math.Max(service.Autoscale?.Max ?? 0, Math.Max(10, service.Replicas));
        return string.Create(CultureInfo.InvariantCulture, $"""

            frontend {service.Name}
                bind :{port}
                # Sent again only what may be done twice (RFC 9110, 9.2.2), and only when the replica gave no answer at all.
                http-request disable-l7-retry if {NotRepeatable}
                use_backend {service.Name}-grpc if {IsGrpc}
                default_backend {service.Name}

            backend {service.Name}
                balance leastconn
                retry-on conn-failure empty-response
                option httpchk
                http-check send meth GET uri {check.Path}
                http-check expect status 200
                server-template {service.Name} {most} {service.Name}:{endpoint.Port} check port {check.Port} inter 1s fastinter 200ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down resolvers engine init-addr none

            backend {service.Name}-grpc
                balance leastconn
                option httpchk
                http-check send meth GET uri {check.Path}
                http-check expect status 200
                server-template {service.Name} {most} {service.Name}:{endpoint.Port} proto h2 check port {check.Port} check-proto h1 inter 1s fall 2 rise 1 on-error mark-down resolvers engine init-addr none

            """).ReplaceLineEndings("\n");
    }
}
