using System.Text.Json;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Publishing
{
    /// <summary>Writes resources into a manifest: values as expressions, never the values themselves.</summary>
    public sealed class ManifestPublishingContext(DistributedApplicationExecutionContext executionContext, string manifestPath, Utf8JsonWriter writer, CancellationToken cancellationToken = default)
    {
        private readonly Dictionary<string, IResource> _referenced = new(StringComparer.OrdinalIgnoreCase);
        private readonly List<(ParameterResource Parameter, string Format)> _formatted = [];
        private int _nextPort = 8000;

        public DistributedApplicationExecutionContext ExecutionContext { get; } = executionContext;
        public string ManifestPath { get; } = manifestPath;
        public Utf8JsonWriter Writer { get; } = writer;
        public CancellationToken CancellationToken { get; } = cancellationToken;

        /// <summary>A path as seen from the manifest, with forward slashes.</summary>
        public string? GetManifestRelativePath(string? path) =>
            path is null ? null : Path.GetRelativePath(Path.GetDirectoryName(Path.GetFullPath(ManifestPath))!, path).Replace('\\', '/');

        internal async Task WriteModelAsync(DistributedApplicationModel model)
        {
            Writer.WriteStartObject();
            Writer.WriteStartObject("resources");
            foreach (var resource in model.Resources)
            {
                await WriteResourceAsync(resource);
            }
            // What is referred to but no resource of its own (a generated password) comes last, in the order of the references.
            foreach (var resource in _referenced.Values.Where(r => !model.Resources.TryGetByName(r.Name, out _)).ToArray())
            {
                await WriteResourceAsync(resource);
            }
            foreach (var (parameter, format) in _formatted)
            {
                Writer.WriteStartObject(FormattedName(parameter, format));
                Writer.WriteString("type", "annotated.string");
                Writer.WriteString("value", parameter.ValueExpression);
                Writer.WriteString("filter", format);
                Writer.WriteEndObject();
            }
            Writer.WriteEndObject();
            Writer.WriteEndObject();
            await Writer.FlushAsync(CancellationToken);
        }

        /// <summary>Makes sure that what the value refers to is in the manifest too.</summary>
        public void TryAddDependentResources(object? value)
        {
            foreach (var resource in OpenPlatform.Hosting.Dependencies.Of(value))
            {
                if (_referenced.TryAdd(resource.Name, resource) && resource is IResourceWithConnectionString connection && resource is not ParameterResource)
                {
                    TryAddDependentResources(connection.ConnectionStringExpression);
                }
            }
        }

        public void WriteConnectionString(IResource resource)
        {
            if (resource is IResourceWithConnectionString connection)
            {
                Writer.WriteString("connectionString", Expression(connection.ConnectionStringExpression));
            }
        }

        public async Task WriteEnvironmentVariablesAsync(IResource resource)
        {
            var context = new EnvironmentCallbackContext(ExecutionContext, resource, cancellationToken: CancellationToken);
            foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
            {
                await annotation.Callback(context);
            }
            if (resource.TryGetLastAnnotation<OpenPlatform.Hosting.AddressableInstancesAnnotation>(out var instances) && instances.Registration is { } registration)
            {
                // Who reads manifests (azd) gives a service one address and its instances none.
                context.EnvironmentVariables.Remove(registration);
            }
            if (context.EnvironmentVariables.Count > 0)
            {
                Writer.WriteStartObject("env");
                foreach (var (name, value) in context.EnvironmentVariables)
                {
                    Writer.WriteString(name, Expression(value));
                }
                Writer.WriteEndObject();
            }
        }

        public async Task WriteCommandLineArgumentsAsync(IResource resource)
        {
            var context = new CommandLineArgsCallbackContext([], resource, CancellationToken) { ExecutionContext = ExecutionContext };
            foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>())
            {
                await annotation.Callback(context);
            }
            if (context.Args.Count > 0)
            {
                Writer.WriteStartArray("args");
                foreach (var value in context.Args)
                {
                    Writer.WriteStringValue(Expression(value));
                }
                Writer.WriteEndArray();
            }
        }

        public void WriteBindings(IResource resource)
        {
            var endpoints = resource.Annotations.OfType<EndpointAnnotation>().ToArray();
            if (endpoints.Length == 0)
            {
                return;
            }
            var defaults = new HashSet<string>(StringComparer.Ordinal);
            Writer.WriteStartObject("bindings");
            foreach (var endpoint in endpoints)
            {
                // The first http and https endpoint of a project get their port from whoever deploys it; any other endpoint must have one.
                var isDefault = resource is ProjectResource && endpoint.UriScheme is "http" or "https" && defaults.Add(endpoint.UriScheme);
                var targetPort = endpoint.TargetPort ?? (resource is ContainerResource ? endpoint.Port : null) ?? (isDefault ? null : _nextPort++);
                Writer.WriteStartObject(endpoint.Name);
                Writer.WriteString("scheme", endpoint.UriScheme);
                Writer.WriteString("protocol", endpoint.Protocol.ToString().ToLowerInvariant());
                Writer.WriteString("transport", endpoint.Transport);
                if (endpoint.Port is { } port && port != targetPort)
                {
                    Writer.WriteNumber("port", port);
                }
                if (targetPort is { } target)
                {
                    Writer.WriteNumber("targetPort", target);
                }
                if (endpoint.IsExternal)
                {
                    Writer.WriteBoolean("external", value: true);
                }
                Writer.WriteEndObject();
            }
            Writer.WriteEndObject();
        }

        public async Task WriteContainerAsync(ContainerResource container)
        {
            Writer.WriteString("type", "container.v0");
            WriteConnectionString(container);
            Writer.WriteString("image", container.TryGetContainerImageName(out var image) ? image : throw new DistributedApplicationException($"Container '{container.Name}' has no image; call WithImage."));
            if (container.Entrypoint is { } entrypoint)
            {
                Writer.WriteString("entrypoint", entrypoint);
            }
            await WriteCommandLineArgumentsAsync(container);
            WriteMounts(container, ContainerMountType.BindMount, "bindMounts", "source", GetManifestRelativePath);
            WriteMounts(container, ContainerMountType.Volume, "volumes", "name", source => source);
            await WriteEnvironmentVariablesAsync(container);
            WriteBindings(container);
        }

        private async Task WriteResourceAsync(IResource resource)
        {
            if (resource.TryGetLastAnnotation<ManifestPublishingCallbackAnnotation>(out var own))
            {
                if (own.Callback is null)
                {
                    return;
                }
                Writer.WriteStartObject(resource.Name);
                await own.Callback(this);
                Writer.WriteEndObject();
                return;
            }
            Writer.WriteStartObject(resource.Name);
            switch (resource)
            {
                case ContainerResource container:
                    await WriteContainerAsync(container);
                    break;
                case ProjectResource project:
                    Writer.WriteString("type", "project.v0");
                    Writer.WriteString("path", GetManifestRelativePath(project.GetProjectMetadata().ProjectPath));
                    await WriteProcessAsync(project);
                    break;
                case ExecutableResource executable:
                    Writer.WriteString("type", "executable.v0");
                    WriteConnectionString(executable);
                    Writer.WriteString("workingDirectory", GetManifestRelativePath(executable.WorkingDirectory));
                    Writer.WriteString("command", executable.Command);
                    await WriteProcessAsync(executable);
                    break;
                case ParameterResource parameter:
                    WriteParameter(parameter);
                    break;
                case IResourceWithConnectionString:
                    Writer.WriteString("type", "value.v0");
                    WriteConnectionString(resource);
                    break;
                default:
                    Writer.WriteString("error", "This resource does not support generation in the manifest.");
                    break;
            }
            Writer.WriteEndObject();
        }

        private async Task WriteProcessAsync(IResource resource)
        {
            await WriteCommandLineArgumentsAsync(resource);
            await WriteEnvironmentVariablesAsync(resource);
            WriteBindings(resource);
        }

        private void WriteParameter(ParameterResource parameter)
        {
            Writer.WriteString("type", "parameter.v0");
            if (parameter.IsConnectionString)
            {
                Writer.WriteString("connectionString", parameter.ValueExpression);
            }
            Writer.WriteString("value", $"{{{parameter.Name}.inputs.value}}");
            Writer.WriteStartObject("inputs");
            Writer.WriteStartObject("value");
            Writer.WriteString("type", "string");
            if (parameter.Secret)
            {
                Writer.WriteBoolean("secret", value: true);
            }
            if (parameter.Default is { } parameterDefault)
            {
                Writer.WriteStartObject("default");
                parameterDefault.WriteToManifest(this);
                Writer.WriteEndObject();
            }
            Writer.WriteEndObject();
            Writer.WriteEndObject();
        }

        private void WriteMounts(ContainerResource container, ContainerMountType type, string list, string sourceName, Func<string?, string?> source)
        {
            var mounts = container.Annotations.OfType<ContainerMountAnnotation>().Where(m => m.Type == type).ToArray();
            if (mounts.Length == 0)
            {
                return;
            }
            Writer.WriteStartArray(list);
            foreach (var mount in mounts)
            {
                Writer.WriteStartObject();
                if (source(mount.Source) is { } from)
                {
                    Writer.WriteString(sourceName, from);
                }
                Writer.WriteString("target", mount.Target);
                Writer.WriteBoolean("readOnly", mount.IsReadOnly);
                Writer.WriteEndObject();
            }
            Writer.WriteEndArray();
        }

        private string? Expression(object? value)
        {
            TryAddDependentResources(value);
            switch (value)
            {
                case ReferenceExpression { StringFormats: var formats } expression when formats.Any(f => f is not null):
                    var parts = expression.ManifestExpressions.Select((part, i) => formats[i] is { } format && expression.ValueProviders[i] is ParameterResource parameter ? Formatted(parameter, format) : part);
                    return expression.Fill(parts);
                case IManifestExpressionProvider provider:
                    return provider.ValueExpression;
                default:
                    return value?.ToString();
            }
        }

        /// <summary>A parameter that must be escaped is an entry of its own, which the deploying tool fills.</summary>
        private string Formatted(ParameterResource parameter, string format)
        {
            if (!_formatted.Contains((parameter, format)))
            {
                _formatted.Add((parameter, format));
            }
            return $"{{{FormattedName(parameter, format)}.value}}";
        }

        private static string FormattedName(ParameterResource parameter, string format) => $"{parameter.Name}-{format}-encoded";
    }
}

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>Writes a resource's own manifest entry; a null callback leaves the resource out.</summary>
    public class ManifestPublishingCallbackAnnotation(Func<Publishing.ManifestPublishingContext, Task>? callback) : IResourceAnnotation
    {
        public ManifestPublishingCallbackAnnotation(Action<Publishing.ManifestPublishingContext>? callback)
            : this(callback is null ? (Func<Publishing.ManifestPublishingContext, Task>?)null : context => { callback(context); return Task.CompletedTask; }) { }

        public Func<Publishing.ManifestPublishingContext, Task>? Callback { get; } = callback;
        public static ManifestPublishingCallbackAnnotation Ignore { get; } = new((Func<Publishing.ManifestPublishingContext, Task>?)null);
    }
}
