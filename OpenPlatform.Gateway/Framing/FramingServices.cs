using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace OpenPlatform.Gateway.Framing;

internal static class FramingServices
{
    /// <summary>The guard stands before every endpoint, wherever it is configured.</summary>
    public static void AddFramingGuard(this IServiceCollection services)
    {
        services.AddSingleton<FramingGuard>().AddSingleton<EarlyRefusals>();
        services.AddOptions<KestrelServerOptions>().Configure<IServiceProvider>(static (kestrel, provider) =>
            kestrel.ConfigureEndpointDefaults(listen => provider.GetRequiredService<FramingGuard>().Use(listen)));
    }
}
