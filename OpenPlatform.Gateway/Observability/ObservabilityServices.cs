using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.ServiceDefaults.Telemetry;

namespace OpenPlatform.Gateway.Observability;

internal static class ObservabilityServices
{
    public static void AddObservability(this IServiceCollection services)
    {
        services.AddOptionsWithValidateOnStart<ObservabilityOptions, ObservabilityOptionsValidator>().BindConfiguration(ObservabilityOptions.Section);
        services.AddSingleton<DecisionRing>().AddSingleton<RequestObserver>().AddSingleton<FaultRefusals>().AddSingleton<StateMetrics>().AddSingleton<RequestMetrics>();
        services.AddSingleton(new ReplacedMeter("Microsoft.AspNetCore.Hosting"));
        services.AddSingleton<AccessLog>().AddHostedService(static provider => provider.GetRequiredService<AccessLog>());
    }

    /// <summary>Runs the steps and keeps an eye on them.</summary>
    public static void UseObserved(this IApplicationBuilder pipeline, Action<Steps> use)
    {
        var steps = new Steps(pipeline.ApplicationServices);
        use(steps);
        var observer = pipeline.ApplicationServices.GetRequiredService<RequestObserver>();
        _ = pipeline.ApplicationServices.GetRequiredService<StateMetrics>(); // registers its instruments
        observer.Build(steps);
        pipeline.Run(observer.InvokeAsync);
    }
}
