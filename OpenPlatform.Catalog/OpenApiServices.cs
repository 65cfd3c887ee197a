using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.OpenApi;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog;

/// <summary>The OpenAPI 3.1 document of the admin API at <c>/openapi/v1.json</c>.</summary>
internal static class OpenApiServices
{
    private const string Scheme = "bearer";

    private static readonly (string Name, string Description)[] Tags =
    [
        ("Access", "Who may come in: tokens for machines, accounts for people, and who calls."),
        ("APIs", "What is published: APIs, their versions and revisions."),
        ("Applications", "Calling programs of partners."),
        ("Audit", "Who changed what."),
        ("Backends", "What APIs call, and its instances."),
        ("Changesets", "Many changes as one, and the whole configuration as a document."),
        ("Configuration", "What gateways run, and how far they are."),
        ("Credentials", "Keys and secrets of applications."),
        ("Jobs", "Work that one replica does for all."),
        ("Organizations", "Partners."),
        ("Plans", "Limits, quotas and scopes on offer."),
        ("Subscriptions", "Rights of applications to versions under plans."),
        ("Usage", "What was called."),
        ("Webhooks", "Where events are delivered."),
    ];

    public static IServiceCollection AddAdminDocument(this IServiceCollection services) => services.AddOpenApi("v1", static options =>
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.AddDocumentTransformer(static (document, _, _) =>
        {
            document.Info = new()
            {
                Title = "OpenPlatform catalog",
                Version = "v1",
                Description = "Publishes APIs and decides who may call them. Problems are RFC 9457; every resource has a strong ETag, and a change needs it in If-Match.",
                Contact = new() { Name = "The operators of this deployment" },
                License = new() { Name = "MIT", Url = new("https://opensource.org/license/mit") },
            };
            // Relative to where the document is: right behind every proxy.
            document.Servers = [new() { Url = "/" }];
            document.Components ??= new();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
            {
                [Scheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A token, a session of an account, or a token of the identity provider." },
            };
            document.Security = [new() { [new OpenApiSecuritySchemeReference(Scheme, document)] = [] }];
            var used = document.Paths.Values.SelectMany(static path => path.Operations?.Values.AsEnumerable() ?? []).SelectMany(static operation => operation.Tags?.AsEnumerable() ?? [])
                .Select(static tag => tag.Name).OfType<string>().ToHashSet(StringComparer.Ordinal);
            document.Tags = used.Order(StringComparer.OrdinalIgnoreCase)
                .Select(static name => new OpenApiTag { Name = name, Description = Tags.FirstOrDefault(tag => tag.Name == name).Description ?? $"{name} of this catalog." }).ToHashSet();
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer(static (schema, context, _) =>
        {
            // Nullable only so that all absent members can be named at once.
            if (context.JsonPropertyInfo?.AttributeProvider?.IsDefined(typeof(RequiredAttribute), inherit: false) == true)
            {
                schema.Type &= ~JsonSchemaType.Null;
            }

            return Task.CompletedTask;
        });
        options.AddOperationTransformer(static (operation, context, _) =>
        {
            var metadata = context.Description.ActionDescriptor.EndpointMetadata;
            operation.Parameters ??= [];
            operation.Description ??= Describe(operation.Summary, metadata.OfType<NeededPermission>().LastOrDefault());
            if (metadata.OfType<IAllowAnonymous>().Any())
            {
                operation.Security = [];
            }

            // Of a record's members ASP.NET Core tells the names that they have in C#; problems and links write them as the answers do.
            foreach (var parameter in operation.Parameters.OfType<OpenApiParameter>().Where(static parameter => parameter is { In: ParameterLocation.Query, Name: not null }))
            {
                parameter.Name = JsonNamingPolicy.CamelCase.ConvertName(parameter.Name!);
            }

            foreach (var parameter in operation.Parameters.OfType<OpenApiParameter>().Where(static parameter => parameter is { In: ParameterLocation.Path, Description: null }))
            {
                parameter.Description = parameter.Name == "id" ? "Id of the resource." : $"The {parameter.Name} that is meant, of the resource.";
            }

            // Whatever else an endpoint says of itself: what a path names may not be there.
            if (operation.Parameters.Any(static parameter => parameter.In == ParameterLocation.Path) && operation.Responses?.TryGetValue("401", out var problem) == true)
            {
                operation.Responses.TryAdd("404", new OpenApiResponse { Description = "Not Found", Content = problem.Content });
            }

            if (metadata.OfType<MethodInfo>().Any(static handler => handler.GetParameters().Any(static p => p.ParameterType == typeof(IfMatch))))
            {
                operation.Parameters.Add(Header("If-Match", isRequired: true, "The ETag of the resource, or * for whatever state it is in."));
            }

            if (HttpMethods.IsPost(context.Description.HttpMethod ?? "") && metadata.OfType<NeededPermission>().Any())
            {
                operation.Parameters.Add(Header("Idempotency-Key", isRequired: false, "Repeated with the same key within a day, the request is answered and not done again."));
            }

            return Task.CompletedTask;
        });
    });

    private static OpenApiParameter Header(string name, bool isRequired, string description) => new()
    {
        Name = name, In = ParameterLocation.Header, Required = isRequired, Description = description, Schema = new OpenApiSchema { Type = JsonSchemaType.String },
    };

    private static string Describe(string? summary, NeededPermission? needed) =>
        needed is null ? $"{summary} Needs no token." : $"{summary} Needs the permission {needed.Permission}.";
}
