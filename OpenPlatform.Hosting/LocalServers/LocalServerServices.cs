using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting;

internal static class LocalServerServices
{
    internal static IServiceCollection AddLocalServers(this IServiceCollection services) => services
        .AddSingleton(provider => new DataFolders(provider.GetRequiredService<HostingOptions>(), UserFolders.Data, () => provider.GetRequiredService<SessionFolder>().Path));
}
