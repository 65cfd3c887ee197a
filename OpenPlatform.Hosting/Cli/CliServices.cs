using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting;

internal static class CliServices
{
    internal static IServiceCollection AddCliBackchannel(this IServiceCollection services) => services;
}
