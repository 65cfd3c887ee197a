using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Tests.Catalog.Access;

/// <summary>Callers of every kind, and every endpoint that there is.</summary>
internal static class AccessCalls
{
    public static HttpClient With(this CatalogServer catalog, string token)
    {
        var client = catalog.Anonymous();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    /// <summary>A token of this role, and its id.</summary>
    public static async Task<(string Token, string Id)> TokenAsync(this HttpClient admin, string role, string? organization = null)
    {
        var issued = await admin.CreateAsync("tokens", new { name = $"a {role}", roles = new[] { role }, organizationId = organization });
        return (issued["token"]!.GetValue<string>(), issued.Id());
    }

    /// <summary>Every endpoint of the admin API that needs a permission.</summary>
    public static IReadOnlyList<(string Method, string Path, Permission Needs)> Endpoints(CatalogServer catalog)
    {
        using var started = catalog.Anonymous();
        return
        [
            .. from endpoint in catalog.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
               let needed = endpoint.Metadata.GetMetadata<NeededPermission>()
               where needed is not null && endpoint.Metadata.GetMetadata<IAllowAnonymous>() is null
               from method in endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods
               select (method, "/" + endpoint.RoutePattern.RawText!.Trim('/'), needed.Permission),
        ];
    }

    /// <summary>Calls with an empty body of the media type the method takes.</summary>
    public static async Task<HttpResponseMessage> CallAsync(this HttpClient client, string method, string path, string body = "{}")
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("If-Match", "*");
        if (method is "POST" or "PUT" or "PATCH")
        {
            request.Content = new StringContent(body, Encoding.UTF8, method == "PATCH" ? "application/merge-patch+json" : "application/json");
        }

        return await client.SendAsync(request, HttpCompletionOption.ResponseContentRead);
    }
}
