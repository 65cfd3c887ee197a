using OpenPlatform.Gateway.State;

namespace OpenPlatform.Gateway.Limits;

internal static class LimitServices
{
    public static void AddRateLimits(this IServiceCollection services)
    {
        services.AddOptionsWithValidateOnStart<LimitOptions, LimitOptionsValidator>().BindConfiguration(LimitOptions.Section);
        services.AddSingleton<MonotonicClock>();
        services.AddSingleton(static provider => new TokenLender(provider.GetRequiredService<OptionalRedis>().Client, provider.GetRequiredService<MonotonicClock>()));
        services.AddSingleton<LimiterTable>();
    }
}
