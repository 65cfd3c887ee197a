using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting;

internal static class OrchestrationServices
{
    internal static IServiceCollection AddOrchestration(this IServiceCollection services) => services;
}
