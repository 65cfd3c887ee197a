using System.Text.Json;
using System.Text.Json.Serialization;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.PrivatePort;

/// <summary>What the gateway holds: <c>/instances</c>, <c>/snapshot</c>, <c>/limits</c>. No secret is in any of them.</summary>
internal static class StateEndpoints
{
    /// <summary>More limits than these are not listed.</summary>
    private const int MostLimits = 1000;

    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    public static void Map(IEndpointRouteBuilder endpoints, IServiceProvider services)
    {
        var snapshots = services.GetRequiredService<ActiveSnapshot>();
        var instances = services.GetRequiredService<InstanceDirectory>();
        var limiters = services.GetRequiredService<LimiterTable>();
        var lender = services.GetRequiredService<TokenLender>();
        var gateways = services.GetRequiredService<GatewayCount>();

        endpoints.MapGet("/instances", () => TypedResults.Json(instances.Describe(), Json));
        endpoints.MapGet("/snapshot", () => snapshots.Summary is { } summary ? (IResult)TypedResults.Json(summary, Json) : TypedResults.NotFound());
        endpoints.MapGet("/limits", () => TypedResults.Json(
            new
            {
                By = lender.IsUsable ? "redis" : "this gateway",
                Gateways = gateways.Live,
                limiters.Count,
                Limits = limiters.Describe().OrderBy(static limit => limit.Left).Take(MostLimits).Select(static limit => new { limit.Key, limit.Left, limit.ResetSeconds }),
            },
            Json));
    }
}
