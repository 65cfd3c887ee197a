using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>
/// The environment of a service. What is plain text stands in a ConfigMap. What holds a secret stands in the pod, made of variables that
/// come from the Secret: <c>Password=$(SECRET_POSTGRES_PASSWORD)</c>. So does what depends on how a server is hosted.
/// </summary>
internal sealed class PodVariables
{
    private readonly DeploymentModel _model;
    private readonly KubernetesValues _values;
    private readonly ServiceModel _service;

    public PodVariables(DeploymentModel model, KubernetesValues values, ServiceModel service)
    {
        (_model, _values, _service) = (model, values, service);
        var plain = service.Environment.Where(IsPlain).ToDictionary(v => v.Name, v => v.Value.Render(Address, _ => ""));
        if (service.Kind == ServiceKind.Project)
        {
            plain.TryAdd("OTEL_SERVICE_NAME", service.Name);
        }

        if (service.ProxyNetworks is { } prefix && values.ProxyNetwork.Length > 0)
        {
            plain[$"{prefix}__0"] = values.ProxyNetwork;
        }

        Config = new(plain.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => KeyValuePair.Create(v.Key, (YamlNode)v.Value!)));
    }

    public YamlMap Config { get; }

    /// <summary>Variables of the container, secrets first: the others are made of them.</summary>
    public YamlList Pod(bool telemetry = true) => [.. Own(_service.Environment.Where(v => !IsPlain(v)).ToArray()), .. telemetry && _service.Kind == ServiceKind.Project ? Telemetry() : []];

    /// <summary>Only what leads to databases: what a migration needs.</summary>
    public YamlList ToDatabases() => Own([.. _service.Environment.Where(v => Hosted(v.Value)?.Kind == ServiceKind.Postgres)]);

    /// <summary>Arguments of the container; Kubernetes fills <c>$(…)</c> in them too.</summary>
    public YamlList Arguments() => YamlNode.Texts(_service.Arguments.Select(a => Text(a, cloudNative: false)));

    private YamlList Own(IReadOnlyList<VariableModel> variables)
    {
        var items = new YamlList();
        var arguments = _service.Arguments.SelectMany(a => a.Parameters.Where(p => p.Secret));
        foreach (var secret in variables.Where(v => !IsSecretAlone(v)).SelectMany(v => v.Value.Parameters).Where(p => p.Secret).Concat(arguments).Distinct().OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            items.Add(FromSecret(SecretVariable(secret), secret));
        }

        foreach (var variable in variables)
        {
            items.Add(Item(variable));
        }

        return items;
    }

    private YamlNode? Item(VariableModel variable)
    {
        if (IsSecretAlone(variable))
        {
            return FromSecret(variable.Name, ((ParameterPart)variable.Value.Parts[0]).Parameter);
        }

        var own = Pair(variable.Name, Text(variable.Value, cloudNative: false));
        if (Hosted(variable.Value) is not { } server)
        {
            return own;
        }

        // Managed: the connection string as a whole is a secret, and its parts are not known.
        var managed = variable.Name.StartsWith("ConnectionStrings__", StringComparison.Ordinal)
            ? Reference(variable.Name, _values.SecretName, ConnectionSecret(variable.Name))
            : null;
        var mode = _values.Mode(server);
        YamlNode? elsewhere = managed is null ? null : new ChartWhen(new(mode, "managed"), managed);
        if (server.Kind == ServiceKind.Postgres)
        {
            var operated = Pair(variable.Name, Text(variable.Value, cloudNative: true));
            elsewhere = new ChartWhen(new(mode, "cloudnative-pg"), operated, elsewhere);
        }

        return new ChartWhen(new(mode, "statefulset"), own, elsewhere);
    }

    private YamlNode FromSecret(string variable, ParameterModel secret)
    {
        var own = Reference(variable, _values.SecretName, secret.Name);
        var server = _model.Services.FirstOrDefault(s => s.Kind is ServiceKind.Postgres or ServiceKind.Redis && s.Environment.Any(v => v.Value.Parameters.Contains(secret)));
        if (server is null || server == _service)
        {
            return own;
        }

        // The operator makes the password of its superuser itself; a managed server's is inside its connection string.
        YamlNode? elsewhere = server.Kind == ServiceKind.Postgres
            ? new ChartWhen(new(_values.Mode(server), "cloudnative-pg"), Reference(variable, $"{server.Name}-superuser", "password"))
            : null;
        return new ChartWhen(new(_values.Mode(server), "statefulset"), own, elsewhere);
    }

    private string Text(ValueModel value, bool cloudNative) => value.Render(
        part => cloudNative && _model.Service(part.Service).Kind == ServiceKind.Postgres ? ($"{part.Service}-rw", part.Endpoint.Port) : Address(part),
        secret => $"$({SecretVariable(secret.Parameter)})",
        literal => literal.Replace("$(", "$$(", StringComparison.Ordinal));

    private bool IsPlain(VariableModel variable) => !variable.Value.HasSecret && Hosted(variable.Value) is null;

    /// <summary>The server that a value leads to and that may be hosted in several ways, or null.</summary>
    private ServiceModel? Hosted(ValueModel value) => value.Parts.OfType<EndpointPart>().Select(e => _model.Service(e.Service))
        .FirstOrDefault(s => s != _service && s.Kind is ServiceKind.Postgres or ServiceKind.Redis);

    private static bool IsSecretAlone(VariableModel variable) => variable.Value.Parts is [ParameterPart { Parameter.Secret: true }];

    private static (string, int) Address(EndpointPart part) => (part.Service, part.Endpoint.Port);

    private IEnumerable<YamlNode> Telemetry()
    {
        yield return new YamlMap { ["name"] = "POD_NAME", ["valueFrom"] = new YamlMap { ["fieldRef"] = new YamlMap { ["fieldPath"] = "metadata.name" } } };
        yield return new YamlMap { ["name"] = "POD_NAMESPACE", ["valueFrom"] = new YamlMap { ["fieldRef"] = new YamlMap { ["fieldPath"] = "metadata.namespace" } } };
        // By the names of pod and namespace the metrics adapter finds whose requests they are.
        yield return Pair("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=$(POD_NAME),k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME)");
        yield return Pair("OTEL_EXPORTER_OTLP_ENDPOINT", _values.OtlpEndpoint);
    }

    internal static string SecretVariable(ParameterModel secret) => "SECRET_" + string.Concat(secret.Name.ToUpperInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));

    internal static string ConnectionSecret(string variable) => $"{variable["ConnectionStrings__".Length..]}-connection-string";

    private static YamlMap Pair(string name, YamlNode value) => new() { ["name"] = name, ["value"] = value };

    private static YamlMap Pair(string name, string value) => Pair(name, (YamlNode)value!);

    internal static YamlMap Reference(string variable, YamlNode secret, string key) => new()
    {
        ["name"] = variable,
        ["valueFrom"] = new YamlMap { ["secretKeyRef"] = new YamlMap { ["name"] = secret, ["key"] = key } },
    };
}
