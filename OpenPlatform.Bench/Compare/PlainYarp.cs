using Yarp.ReverseProxy.Configuration;

namespace OpenPlatform.Bench.Compare;

/// <summary>YARP as its documentation shows it: one route, one cluster, nothing else. The reference, 1.00.</summary>
internal static class PlainYarp
{
    public const string Command = "plain-yarp";

    public static async Task ServeAsync(string[] args)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(args[0]);
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "all", ClusterId = "upstream", Match = new() { Path = "{**all}" } }],
            [
                new ClusterConfig
                {
                    ClusterId = "upstream",
                    Destinations = args[1..].Select(static (address, i) => ($"d{i}", new DestinationConfig { Address = address })).ToDictionary(static d => d.Item1, static d => d.Item2),
                },
            ]);
        var app = builder.Build();
        app.MapReverseProxy();
        await app.RunAsync();
    }
}
