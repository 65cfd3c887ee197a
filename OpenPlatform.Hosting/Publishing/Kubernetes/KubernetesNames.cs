using OpenPlatform.Hosting.Publishing.Yaml;

namespace OpenPlatform.Hosting.Publishing.Kubernetes;

/// <summary>Names, labels and the head of an object.</summary>
internal static class KubernetesNames
{
    internal const string NameLabel = "app.kubernetes.io/name";
    internal const string PartOfLabel = "app.kubernetes.io/part-of";

    /// <summary>What never changes of an object, so what selectors may use.</summary>
    internal static YamlMap Selector(DeploymentModel model, string name) => new() { [NameLabel] = name, [PartOfLabel] = model.Name };

    /// <summary>Of pods: nothing that changes with a release, which would restart a database for a new gateway.</summary>
    internal static YamlMap PodLabels(DeploymentModel model, string name, string? component) => new(Selector(model, name)) { ["app.kubernetes.io/component"] = component };

    internal static YamlMap Labels(DeploymentModel model, string name, string? component = null) =>
        new(Selector(model, name)) { ["app.kubernetes.io/version"] = model.Version, ["app.kubernetes.io/component"] = component };

    internal static YamlMap Object(DeploymentModel model, string apiVersion, string kind, string name, YamlNode? spec, string? component = null, YamlNode? annotations = null, string? app = null) => new()
    {
        ["apiVersion"] = apiVersion,
        ["kind"] = kind,
        ["metadata"] = new YamlMap { ["name"] = name, ["labels"] = Labels(model, app ?? name, component), ["annotations"] = annotations },
        ["spec"] = spec,
    };

    /// <summary>A port has a name of at most 15 characters.</summary>
    internal static string Port(EndpointModel endpoint) => endpoint.Name.Length <= 15 ? endpoint.Name : $"port-{endpoint.Port}";
}
