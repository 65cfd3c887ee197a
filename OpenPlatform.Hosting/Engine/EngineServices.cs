using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting;

internal static class EngineServices
{
    internal static IServiceCollection AddEngine(this IServiceCollection services) => services
        .AddSingleton(_ => new NpmCache(UserFolders.Cache))
        .AddSingleton<IEngine>(provider => new EngineLocator(
            provider.GetRequiredService<IConfiguration>(),
            provider.GetRequiredService<NpmCache>(),
            provider.GetRequiredService<HostingOptions>().Quiet ? _ => { } : Console.WriteLine));
}
