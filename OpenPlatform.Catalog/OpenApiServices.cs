using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Microsoft.OpenApi;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog;

/// <summary>The OpenAPI 3.1 document of the admin API at <c>/openapi/v1.json</c>.</summary>
internal static class OpenApiServices
{
    private const string Scheme = "adminToken";

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
            };
            document.Servers = [];
            document.Components ??= new();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
            {
                [Scheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "OpenPlatform:AdminToken" },
            };
            document.Security = [new() { [new OpenApiSecuritySchemeReference(Scheme, document)] = [] }];
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
            if (context.Description.ActionDescriptor.EndpointMetadata.OfType<MethodInfo>().Any(static handler => handler.GetParameters().Any(static p => p.ParameterType == typeof(IfMatch))))
            {
                operation.Parameters ??= [];
                operation.Parameters.Add(new OpenApiParameter
                {
                    Name = "If-Match",
                    In = ParameterLocation.Header,
                    Required = true,
                    Description = "The ETag of the resource, or * for whatever state it is in.",
                    Schema = new OpenApiSchema { Type = JsonSchemaType.String },
                });
            }

            return Task.CompletedTask;
        });
    });
}
