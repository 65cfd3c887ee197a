using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting;

internal static class EngineServices
{
    internal static IServiceCollection AddEngine(this IServiceCollection services) => services;
}
