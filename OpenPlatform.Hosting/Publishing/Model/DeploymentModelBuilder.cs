using System.Globalization;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>Reads the AppHost's resources into a <see cref="DeploymentModel"/>. Secrets are named, never read.</summary>
internal sealed class DeploymentModelBuilder(DistributedApplicationModel application, DistributedApplicationExecutionContext context, IDistributedApplicationBuilder host, IParameterQuestions questions)
{
    internal const string StatePath = "/var/lib/openplatform/state";
    private const int ProjectPort = 8080;
    private const int FurtherPorts = 8100;

    private readonly ProjectImages _images = new(host);
    private readonly Dictionary<EndpointAnnotation, EndpointModel> _endpoints = [];
    private readonly Dictionary<ParameterResource, ParameterModel> _parameters = [];
    private readonly List<ParameterModel> _inOrder = [];

    /// <exception cref="DistributedApplicationException">A resource cannot be deployed, or a parameter has no value and nobody to ask.</exception>
    public async Task<DeploymentModel> BuildAsync(CancellationToken cancellationToken)
    {
        var resources = application.Resources.Where(r => r is IComputeResource && !r.IsExcludedFromPublish()).ToArray();
        foreach (var resource in resources)
        {
            if (resource is ExecutableResource)
            {
                throw new DistributedApplicationException($"'{resource.Name}' is a program of this machine: it can run here, not be deployed. Make it a project or a container, or leave it out with ExcludeFromManifest().");
            }

            ReadEndpoints(resource);
        }

        var services = new List<ServiceModel>();
        foreach (var resource in resources)
        {
            services.Add(await ReadAsync(resource, cancellationToken));
        }

        return new(_images.ApplicationName(), _images.Version, services, _inOrder, [.. services.SelectMany(Flows)]);
    }

    private async Task<ServiceModel> ReadAsync(IResource resource, CancellationToken cancellationToken)
    {
        if (resource.Annotations.OfType<ContainerMountAnnotation>().FirstOrDefault(m => m.Type == ContainerMountType.BindMount) is { } mount)
        {
            throw new DistributedApplicationException($"'{resource.Name}' mounts the folder '{mount.Source}' of this machine, which is not where it is deployed. Use WithVolume, or build the files into the image.");
        }

        var variables = new EnvironmentCallbackContext(context, resource, cancellationToken: cancellationToken);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>())
        {
            await annotation.Callback(variables);
        }

        if (resource.TryGetLastAnnotation<PrivatePortAnnotation>(out var privatePort))
        {
            variables.EnvironmentVariables[privatePort.EnvironmentVariable] = $"http://0.0.0.0:{privatePort.Port}";
        }

        if (resource.TryGetLastAnnotation<StateDirectoryAnnotation>(out var state))
        {
            variables.EnvironmentVariables[state.EnvironmentVariable] = StatePath;
        }

        var arguments = new CommandLineArgsCallbackContext([], resource, cancellationToken) { ExecutionContext = context };
        foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>())
        {
            await annotation.Callback(arguments);
        }

        var environment = new List<VariableModel>();
        foreach (var (name, value) in variables.EnvironmentVariables.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            // An address that nobody serves where this runs (TLS ends in front of it) is left out.
            if (await ReadAsync(value, cancellationToken) is { } read)
            {
                environment.Add(new(name, read));
            }
        }

        var args = new List<ValueModel>();
        foreach (var argument in arguments.Args)
        {
            args.Add(await ReadAsync(argument, cancellationToken)
                ?? throw new DistributedApplicationException($"An argument of '{resource.Name}' is an https address that is not served where it is deployed; refer to the http endpoint."));
        }

        var kind = resource switch { ProjectResource => ServiceKind.Project, PostgresServerResource => ServiceKind.Postgres, RedisResource => ServiceKind.Redis, _ => ServiceKind.Container };
        var endpoints = resource.Annotations.OfType<EndpointAnnotation>().Where(_endpoints.ContainsKey).Select(e => _endpoints[e]).ToArray();
        resource.TryGetLastAnnotation<AutoscaleAnnotation>(out var autoscale);
        return new()
        {
            Resource = resource,
            Kind = kind,
            Image = Image(resource),
            Entrypoint = (resource as ContainerResource)?.Entrypoint,
            Arguments = args,
            Environment = environment,
            Endpoints = endpoints,
            Volumes = [.. Volumes(resource, state is not null)],
            Replicas = autoscale?.Bounds.Min ?? resource.GetReplicaCount(),
            Autoscale = autoscale?.Bounds,
            Resources = resource.TryGetLastAnnotation<ResourcesAnnotation>(out var wanted) ? wanted.Resources : Defaults(kind),
            Probes = Probes(resource, kind, privatePort),
            Migrations = resource.Annotations.OfType<MigrationsAnnotation>().LastOrDefault()?.Arguments,
            HasAddressableInstances = resource.HasAnnotationOfType<AddressableInstancesAnnotation>(),
            Registration = resource.Annotations.OfType<AddressableInstancesAnnotation>().LastOrDefault()?.Registration,
            ProxyNetworks = resource.Annotations.OfType<ProxyNetworksAnnotation>().LastOrDefault()?.EnvironmentVariable,
            CallsOutside = resource.HasAnnotationOfType<OutboundTrafficAnnotation>(),
            WaitsFor = [.. resource.Annotations.OfType<WaitAnnotation>().Select(w => w.Resource is IResourceWithParent child ? child.Parent.Name : w.Resource.Name).Distinct()],
            Databases = [.. application.Resources.OfType<PostgresDatabaseResource>().Where(d => d.Parent == resource)
                .Select(d => new DatabaseModel(d.DatabaseName, d.Annotations.OfType<PostgresCreateDatabaseScriptAnnotation>().LastOrDefault()?.Script))],
        };
    }

    /// <summary>The https endpoint that publishing adds to a project has no port: the image serves http, and TLS ends in front of it.</summary>
    private void ReadEndpoints(IResource resource)
    {
        var next = FurtherPorts;
        var http = false;
        foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
        {
            var isDefault = resource is ProjectResource && endpoint.TargetPort is null;
            if (isDefault && endpoint.UriScheme == "https")
            {
                continue;
            }

            var port = endpoint.TargetPort ?? (isDefault && !http && endpoint.UriScheme == "http" ? ProjectPort : endpoint.Port ?? next++);
            http |= endpoint.UriScheme == "http";
            _endpoints[endpoint] = new(endpoint.Name.ToLowerInvariant(), endpoint.UriScheme, endpoint.Transport, port, endpoint.IsExternal, endpoint.Name == "http" ? resource.Annotations.OfType<OperatorPortAnnotation>().LastOrDefault()?.Port : null);
        }
    }

    /// <summary>Null: it refers to an endpoint that is not served.</summary>
    private async Task<ValueModel?> ReadAsync(object value, CancellationToken cancellationToken)
    {
        var parts = new List<ValuePart>();
        return await AddAsync(parts, value, format: null, cancellationToken) ? new(Joined(parts)) : null;
    }

    private async Task<bool> AddAsync(List<ValuePart> parts, object? value, string? format, CancellationToken cancellationToken)
    {
        switch (value)
        {
            case null:
                return true;
            case IResourceBuilder<IResource> builder:
                return await AddAsync(parts, builder.Resource, format, cancellationToken);
            case ParameterResource parameter:
                parts.Add(new ParameterPart(await ParameterAsync(parameter, cancellationToken), format));
                return true;
            case EndpointReference endpoint:
                return Add(parts, endpoint, EndpointProperty.Url);
            case EndpointReferenceExpression part:
                return Add(parts, part.Endpoint, part.Property);
            case ConnectionStringReference connection:
                return await AddAsync(parts, connection.Resource, format, cancellationToken);
            case IResourceWithConnectionString connection:
                return await AddAsync(parts, connection.ConnectionStringExpression, format, cancellationToken);
            case ReferenceExpression expression:
                foreach (var (text, hole) in Split(expression))
                {
                    if (text.Length > 0)
                    {
                        parts.Add(new TextPart(text));
                    }

                    if (hole is { } index && !await AddAsync(parts, expression.ValueProviders[index], expression.StringFormats[index] ?? format, cancellationToken))
                    {
                        return false;
                    }
                }

                return true;
            case IValueProvider provider:
                parts.Add(new TextPart(await provider.GetValueAsync(cancellationToken) ?? ""));
                return true;
            default:
                parts.Add(new TextPart(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
                return true;
        }
    }

    private bool Add(List<ValuePart> parts, EndpointReference reference, EndpointProperty property)
    {
        if (!_endpoints.TryGetValue(reference.EndpointAnnotation, out var endpoint))
        {
            return false;
        }

        parts.Add(property == EndpointProperty.TargetPort ? new TextPart($"{endpoint.Port}") : new EndpointPart(reference.Resource.Name.ToLowerInvariant(), endpoint, property));
        return true;
    }

    private async Task<ParameterModel> ParameterAsync(ParameterResource parameter, CancellationToken cancellationToken)
    {
        if (_parameters.TryGetValue(parameter, out var known))
        {
            return known;
        }

        // What is generated must be generated once, where it is deployed: a value made here would differ from one publish to the next.
        var configured = host.Configuration[parameter.ConfigurationKey] ?? host.Configuration[parameter.ConfigurationKey.Replace('-', '_')];
        var given = parameter.Secret || parameter.Default is GenerateParameterDefault or KeptParameterDefault && configured is null;
        var value = given ? null
            : parameter.TryGetValue(out var text, out var reason) ? text
            : await questions.AskAsync(parameter.Name, parameter.Description, cancellationToken)
              ?? throw new DistributedApplicationException($"Parameter {reason}");
        return Keep(parameter, new(parameter.Name, given, value, parameter.Description, ((parameter.Default as KeptParameterDefault)?.Inner ?? parameter.Default) is GenerateParameterDefault generated ? generated.MinLength : null));
    }

    private ParameterModel Keep(ParameterResource resource, ParameterModel parameter)
    {
        _parameters[resource] = parameter;
        _inOrder.Add(parameter);
        return parameter;
    }

    private static IEnumerable<FlowModel> Flows(ServiceModel service) => service.Environment.Select(v => v.Value).Concat(service.Arguments)
        .SelectMany(v => v.Parts).OfType<EndpointPart>().Where(e => e.Service != service.Name)
        .GroupBy(e => e.Service)
        .Select(to => new FlowModel(service.Name, to.Key, [.. to.Select(e => e.Endpoint.Port).Distinct().Order()]));

    private static IEnumerable<VolumeModel> Volumes(IResource resource, bool state)
    {
        if (state)
        {
            yield return new("state", StatePath, SizeGiB: 2);
        }

        var number = 0;
        foreach (var mount in resource.Annotations.OfType<ContainerMountAnnotation>())
        {
            // The local name holds the path of this machine's checkout.
            yield return new(++number == 1 ? "data" : $"data{number}", mount.Target, SizeGiB: 10, mount.IsReadOnly, IsScratch: mount.Source is null);
        }
    }

    private ProbesModel? Probes(IResource resource, ServiceKind kind, PrivatePortAnnotation? own)
    {
        if (own is not null)
        {
            return new(new(own.Port, "/startupz"), new(own.Port, "/readyz"), new(own.Port, "/livez"));
        }

        if (kind == ServiceKind.Postgres)
        {
            // Over TCP: while the image fills a new database, a server without it listens at the socket.
            var accepts = new ProbeModel(0, null, ["pg_isready", "--host=127.0.0.1", "--username=postgres"]);
            // A server that refuses connections while it recovers (exit code 1) is alive: restarting it would begin the recovery anew.
            return new(accepts, accepts, new(0, null, ["/bin/sh", "-c", "pg_isready --host=127.0.0.1 --username=postgres; test $? -lt 2"]));
        }

        if (kind == ServiceKind.Redis)
        {
            // A server that asks for a password answers too, and that is all there is to know.
            return All(new(0, null, ["redis-cli", "ping"]));
        }

        if (resource.Annotations.OfType<HttpHealthCheckAnnotation>().LastOrDefault() is not { } check || !_endpoints.TryGetValue(check.Endpoint.EndpointAnnotation, out var endpoint))
        {
            return null;
        }

        // Aspire's service defaults: /health says whether it wants traffic, /alive whether it should be restarted.
        var ready = new ProbeModel(endpoint.Port, check.Path);
        var live = kind == ServiceKind.Project && check.Path == "/health" ? new ProbeModel(endpoint.Port, "/alive") : ready;
        return new(live, ready, live);
    }

    private static ProbesModel All(ProbeModel probe) => new(probe, probe, probe);

    private static ResourcesModel Defaults(ServiceKind kind) => kind switch
    {
        ServiceKind.Postgres => new(0.5, 1024),
        ServiceKind.Redis => new(0.25, 256),
        _ => new(0.25, 256),
    };

    private ImageModel Image(IResource resource)
    {
        if (resource is ProjectResource project)
        {
            return _images.Of(project);
        }

        var image = resource.Annotations.OfType<ContainerImageAnnotation>().LastOrDefault() ?? throw new DistributedApplicationException($"Container '{resource.Name}' has no image; call WithImage.");
        var repository = (image.Registry is { Length: > 0 } from ? from + "/" : "") + image.Image;
        return new(repository, image.Tag ?? "latest", image.SHA256 is { Length: > 0 } digest ? $"sha256:{digest}" : null);
    }

    /// <summary>Text before each hole, and the hole's number; null: there is none behind the text.</summary>
    private static IEnumerable<(string Text, int? Hole)> Split(ReferenceExpression expression)
    {
        const char Mark = '\u0001';
        var pieces = expression.Fill(Enumerable.Range(0, expression.ValueProviders.Count).Select(i => $"{Mark}{i}{Mark}")).Split(Mark);
        for (var i = 0; i < pieces.Length; i += 2)
        {
            yield return (pieces[i], i + 1 < pieces.Length ? int.Parse(pieces[i + 1], CultureInfo.InvariantCulture) : null);
        }
    }

    private static List<ValuePart> Joined(List<ValuePart> parts)
    {
        var joined = new List<ValuePart>();
        foreach (var part in parts)
        {
            if (part is TextPart text && joined.LastOrDefault() is TextPart before)
            {
                joined[^1] = new TextPart(before.Text + text.Text);
            }
            else
            {
                joined.Add(part);
            }
        }

        return joined;
    }
}
