using OpenPlatform.ServiceDefaults.Health;

namespace OpenPlatform.Gateway.PrivatePort;

/// <summary><c>POST /drain</c>: this replica leaves as after SIGTERM, and its process ends with 0. <c>GET /drain</c>: whether it does.</summary>
internal static class DrainEndpoints
{
    /// <summary>A page that a browser shows can post a form to the loopback, but not with a header of its own.</summary>
    private const string OperatorHeader = "X-OpenPlatform-Operator";

    public static void Map(IEndpointRouteBuilder endpoints, IServiceProvider services)
    {
        var drain = services.GetRequiredService<DrainState>();
        var lifetime = services.GetRequiredService<IHostApplicationLifetime>();

        endpoints.MapGet("/drain", () => TypedResults.Json(new { draining = drain.IsDraining }));
        endpoints.MapPost("/drain", IResult (HttpContext context) =>
        {
            if (!context.Request.Headers.ContainsKey(OperatorHeader))
            {
                return TypedResults.Json(new { error = $"Send the header {OperatorHeader} with any value." }, statusCode: StatusCodes.Status400BadRequest);
            }

            // After the answer: the private port is the last to close, but who asks should not have to rely on that.
            context.Response.OnCompleted(() =>
            {
                lifetime.StopApplication();
                return Task.CompletedTask;
            });
            return TypedResults.Json(new { draining = true }, statusCode: StatusCodes.Status202Accepted);
        });
    }
}
