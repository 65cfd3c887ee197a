namespace OpenPlatform.Catalog.Jobs;

internal static class JobServices
{
    public static IServiceCollection AddJobs(this IServiceCollection services)
    {
        services.AddOptions<JobOptions>().BindConfiguration(JobOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        return services
            .AddSingleton<Leadership>()
            .AddSingleton<JobMetrics>()
            .AddSingleton<JobRunner>()
            .AddHostedService<JobLeader>()
            .AddSingleton<IJob, CredentialExpiryJob>();
    }
}
