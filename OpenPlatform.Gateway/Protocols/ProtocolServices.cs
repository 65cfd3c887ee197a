using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Protocols;

internal static class ProtocolServices
{
    public static void AddProtocols(this IServiceCollection services)
    {
        services.AddOptionsWithValidateOnStart<DrainOptions, DrainOptionsValidator>().BindConfiguration(DrainOptions.Section);
        services.AddSingleton<Drain>().AddHostedService(static provider => provider.GetRequiredService<Drain>());
        services.AddOptions<HostOptions>().Configure<IOptions<DrainOptions>>(static (host, drain) =>
            host.ShutdownTimeout = drain.Value.PropagationDelay + drain.Value.Timeout);
    }
}
