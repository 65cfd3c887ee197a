using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public static partial class ResourceBuilderExtensions
{
    /// <summary>Gives the destination every endpoint of the source: <c>services__source__http__0</c> for service discovery and <c>SOURCE_HTTP</c>.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithServiceDiscovery> source)
        where TDestination : IResourceWithEnvironment => builder.Refer(source.Resource, endpointName: null, serviceName: null);

    /// <summary>The same under another name.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithServiceDiscovery> source, string name)
        where TDestination : IResourceWithEnvironment => builder.Refer(source.Resource, endpointName: null, serviceName: name);

    /// <summary>Gives the destination one endpoint.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, EndpointReference endpointReference)
        where TDestination : IResourceWithEnvironment => builder.Refer(endpointReference.Resource, endpointReference.EndpointName, serviceName: null);

    /// <summary>Gives the destination the connection string, as <c>ConnectionStrings__name</c>, and its parts, as <c>NAME_HOST</c> and so on.</summary>
    /// <param name="optional">The destination also starts when there is no connection string.</param>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithConnectionString> source, string? connectionName = null,
        bool optional = false) where TDestination : IResourceWithEnvironment
    {
        var resource = source.Resource;
        var name = connectionName ?? resource.Name;
        return builder.WithReferenceRelationship(resource).WithEnvironment(context =>
        {
            context.EnvironmentVariables[resource.ConnectionStringEnvironmentVariable ?? $"ConnectionStrings__{name}"] = new ConnectionStringReference(resource, optional);
            var prefix = name.Length == 0 ? "" : $"{VariableName(name).ToUpperInvariant()}_";
            foreach (var (property, value) in resource.GetConnectionProperties())
            {
                context.EnvironmentVariables[prefix + property.ToUpperInvariant()] = value;
            }
            foreach (var property in resource.Annotations.OfType<ConnectionPropertyAnnotation>())
            {
                context.EnvironmentVariables[prefix + property.Name.ToUpperInvariant()] = property.Value;
            }
        });
    }

    /// <summary>Gives the destination a fixed address: <c>services__name__default__0</c>.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, string name, Uri uri) where TDestination : IResourceWithEnvironment
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (!uri.IsAbsoluteUri || uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw new ArgumentException($"The address '{uri}' of service '{name}' must be absolute, without query and fragment.", nameof(uri));
        }
        return builder.WithEnvironment($"services__{name}__default__0", uri.ToString()).WithEnvironment(VariableName(name), uri.ToString());
    }

    public static IResourceBuilder<TDestination> WithReference<TDestination>(this IResourceBuilder<TDestination> builder, IResourceBuilder<ExternalServiceResource> externalService)
        where TDestination : IResourceWithEnvironment
    {
        var service = externalService.Resource;
        var variable = VariableName(service.Name).ToUpperInvariant();
        return builder.WithReferenceRelationship(service).WithEnvironment(async context =>
        {
            if (service.UrlParameter is not { } parameter)
            {
                context.EnvironmentVariables[variable] = service.Uri!.ToString();
                context.EnvironmentVariables[$"services__{service.Name}__{service.Uri.Scheme}__0"] = service.Uri.ToString();
            }
            else if (context.ExecutionContext.IsPublishMode)
            {
                // The value, and so the scheme, is known where the application is deployed.
                context.EnvironmentVariables[variable] = parameter;
                context.EnvironmentVariables[$"services__{service.Name}__default__0"] = parameter;
            }
            else
            {
                var uri = ExternalServiceResource.Parse(service, await parameter.GetValueAsync(context.CancellationToken));
                context.EnvironmentVariables[$"{variable}_{VariableName(uri.Scheme).ToUpperInvariant()}"] = parameter;
                context.EnvironmentVariables[$"services__{service.Name}__{uri.Scheme}__0"] = parameter;
            }
        });
    }

    public static IResourceBuilder<T> WithConnectionProperty<T>(this IResourceBuilder<T> builder, string name, ReferenceExpression value) where T : IResourceWithConnectionString =>
        builder.WithAnnotation(new ConnectionPropertyAnnotation(name, value));

    public static IResourceBuilder<T> WithConnectionProperty<T>(this IResourceBuilder<T> builder, string name, string value) where T : IResourceWithConnectionString =>
        builder.WithConnectionProperty(name, ReferenceExpression.Create($"{value}"));

    /// <summary>All references to endpoints of one source are written in one pass, so that their numbers do not depend on the order of the calls.</summary>
    private static IResourceBuilder<T> Refer<T>(this IResourceBuilder<T> builder, IResourceWithEndpoints source, string? endpointName, string? serviceName) where T : IResourceWithEnvironment
    {
        var reference = builder.Resource.Annotations.OfType<EndpointReferenceAnnotation>().FirstOrDefault(r => r.Resource == source && r.ServiceName == serviceName);
        if (reference is null)
        {
            reference = new(source) { ServiceName = serviceName };
            builder.WithAnnotation(reference).WithEnvironment(context => Write(reference, context.EnvironmentVariables));
        }
        if (endpointName is null)
        {
            reference.UseAllEndpoints = true;
        }
        else
        {
            reference.EndpointNames.Add(endpointName);
        }
        return builder.WithReferenceRelationship(source);
    }

    private static void Write(EndpointReferenceAnnotation reference, Dictionary<string, object> variables)
    {
        var service = reference.ServiceName ?? reference.Resource.Name;
        var prefix = VariableName(reference.ServiceName ?? service.ToUpperInvariant());
        foreach (var endpoint in reference.Resource.GetEndpoints())
        {
            if (!reference.EndpointNames.Contains(endpoint.EndpointName) && (!reference.UseAllEndpoints || endpoint.ExcludeReferenceEndpoint))
            {
                continue;
            }
            variables[$"{prefix}_{VariableName(endpoint.EndpointName).ToUpperInvariant()}"] = endpoint;
            // An endpoint named http may have been upgraded to https: the scheme is what service discovery looks for.
            var key = endpoint.IsHttpSchemeNamedEndpoint ? endpoint.Scheme : endpoint.EndpointName;
            var index = 0;
            while (variables.ContainsKey($"services__{service}__{key}__{index}"))
            {
                index++;
            }
            variables[$"services__{service}__{key}__{index}"] = endpoint;
        }
    }

    /// <summary>Environment variables hold ASCII letters, digits and underscores, and do not begin with a digit.</summary>
    internal static string VariableName(string name)
    {
        var encoded = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        return encoded.Length > 0 && char.IsAsciiDigit(encoded[0]) ? "_" + encoded : encoded;
    }
}
