using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.ServiceDefaults.Health;

namespace OpenPlatform.Gateway.PrivatePort;

/// <summary>What Kubernetes and its like ask. Redis, Postgres and the catalog never make a gateway unready.</summary>
internal static class ProbeEndpoints
{
    public static bool IsProbe(PathString path) => path.Value is "/livez" or "/readyz" or "/startupz";

    public static void Map(IEndpointRouteBuilder endpoints, IServiceProvider services)
    {
        var snapshots = services.GetRequiredService<ActiveSnapshot>();
        var drain = services.GetRequiredService<DrainState>();
        var started = services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted;
        var wasReady = false;

        endpoints.MapGet("/livez", static () => TypedResults.Text("alive"));
        endpoints.MapGet("/readyz", () => Answer(drain.IsDraining ? "draining" : WhyNotStarted()));
        endpoints.MapGet("/startupz", () => Answer(wasReady ? null : WhyNotStarted()));

        string? WhyNotStarted()
        {
            var reason = snapshots.Current is null ? "no snapshot was ever applied" : started.IsCancellationRequested ? null : "warming up";
            wasReady |= reason is null;
            return reason;
        }

        static IResult Answer(string? reason) =>
            TypedResults.Text(reason ?? "ready", statusCode: reason is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }
}
