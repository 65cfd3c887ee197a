using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Gateway.Observability;

namespace OpenPlatform.Gateway.PrivatePort;

/// <summary>
/// <c>GET /explain?id=…</c>: what every step decided about a request that was sampled or refused. <c>GET /explain?method=POST&amp;path=/orders/v1/orders</c>:
/// what it would decide; headers of the described request are given as <c>Explain-&lt;name&gt;</c>, so that no key stands in a URL.
/// <c>GET /explain</c>: the latest ones.
/// </summary>
internal static class ExplainEndpoints
{
    private const string Prefix = "Explain-";
    private const int Latest = 50;

    public static void Map(IEndpointRouteBuilder endpoints, IServiceProvider services)
    {
        var ring = services.GetRequiredService<DecisionRing>();
        var observer = services.GetRequiredService<RequestObserver>();

        endpoints.MapGet("/explain", async Task<IResult> (HttpContext context) =>
        {
            var query = context.Request.Query;
            if (query["id"] is [{ } id])
            {
                return ring.Find(id) is { } found ? TypedResults.Json(found, StateEndpoints.Json) : TypedResults.NotFound();
            }

            if (query["path"] is not [['/', ..] path])
            {
                return TypedResults.Json(ring.Latest().Take(Latest), StateEndpoints.Json);
            }

            await using var scope = services.CreateAsyncScope();
            return TypedResults.Json(await observer.RehearseAsync(Describe(context.Request, query, path, scope.ServiceProvider)), StateEndpoints.Json);
        });
    }

    private static DefaultHttpContext Describe(HttpRequest request, IQueryCollection query, string path, IServiceProvider services)
    {
        var described = new DefaultHttpContext
        {
            RequestServices = services,
            TraceIdentifier = request.HttpContext.TraceIdentifier,
            Request =
            {
                Method = query["method"] is [{ Length: > 0 } method] ? method.ToUpperInvariant() : HttpMethods.Get,
                Scheme = Uri.UriSchemeHttp,
                Host = query["host"] is [{ Length: > 0 } host] ? new(host) : request.Host,
                Protocol = request.Protocol,
            },
            Response = { Body = new MemoryStream() },
            Connection = { RemoteIpAddress = request.HttpContext.Connection.RemoteIpAddress },
        };
        var mark = path.IndexOf('?', StringComparison.Ordinal);
        described.Request.Path = PathString.FromUriComponent(mark < 0 ? path : path[..mark]);
        described.Request.QueryString = mark < 0 ? default : new(path[mark..]);
        described.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = path; // what signatures are over
        foreach (var (name, value) in request.Headers)
        {
            if (name.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            {
                described.Request.Headers[name[Prefix.Length..]] = new StringValues(value.ToArray());
            }
        }

        return described;
    }
}
