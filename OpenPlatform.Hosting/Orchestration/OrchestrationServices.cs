using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Hosting;

internal static class OrchestrationServices
{
    internal static IServiceCollection AddOrchestration(this IServiceCollection services) => services
        .AddSingleton<SessionFolder>()
        .AddSingleton<IContainerRuntime, ContainerRuntime>()
        .AddSingleton<OrchestrationContext>()
        .AddSingleton<LaunchPlannerFactory>()
        .AddSingleton<OrchestratorHost>()
        .AddHostedService(s => s.GetRequiredService<OrchestratorHost>());
}
