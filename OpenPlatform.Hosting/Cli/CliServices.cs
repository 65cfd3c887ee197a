using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting.Cli;

namespace OpenPlatform.Hosting;

internal static class CliServices
{
    /// <summary>Nothing, unless the Aspire CLI started this process.</summary>
    internal static IServiceCollection AddCliBackchannel(this IServiceCollection services, IConfiguration configuration) =>
        string.IsNullOrEmpty(configuration[Backchannel.PathSetting]) ? services : services.AddSingleton<IDistributedApplicationEventingSubscriber, Backchannel>();
}
