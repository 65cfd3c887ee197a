using System.Globalization;
using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Resources;

/// <summary>
/// One resource by its id, for every kind in the same way: what is asked most often of the admin API. Without ASP.NET Core's binding of parameters, which would make a scope of
/// services and three more steps of every read.
/// </summary>
internal static class ReadsById
{
    private static readonly MethodInfo Documented = ((Action<Guid>)Handler).Method;

    /// <summary>Maps <c>GET /{id}</c>: 200, 304 when the caller has it already, or 404.</summary>
    /// <param name="kind">What a 404 calls it.</param>
    /// <param name="find">Null: it is not there, or no business of the caller.</param>
    public static RouteHandlerBuilder MapById<TStore, T>(this IEndpointRouteBuilder resources, string kind, Func<TStore, Guid, Caller, CancellationToken, Task<T?>> find)
        where TStore : class
        where T : class, ICatalogResource
    {
        TStore? store = default; // not when it is mapped: settings are checked before anything is made of them
        return new([
            resources.MapGet("/{id:guid}", async context =>
            {
                var id = Guid.Parse((string)context.Request.RouteValues["id"]!, CultureInfo.InvariantCulture);
                var found = await find(store ??= resources.ServiceProvider.GetRequiredService<TStore>(), id, Caller.Of(context), context.RequestAborted);
                await ResourceAnswers.Found(found, kind, id).ExecuteAsync(context);
            }).WithMetadata(Documented, new IdParameter())
        ]);
    }

    private static void Handler(Guid id) => _ = id;

    /// <summary>What the OpenAPI document has to know of the only parameter.</summary>
    private sealed class IdParameter : IParameterBindingMetadata
    {
        public string Name => "id";

        public bool HasTryParse => true;

        public bool HasBindAsync => false;

        public ParameterInfo ParameterInfo { get; } = Documented.GetParameters()[0];

        public bool IsOptional => false;
    }
}
