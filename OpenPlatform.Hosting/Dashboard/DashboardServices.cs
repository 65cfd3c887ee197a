using Microsoft.Extensions.DependencyInjection;

namespace OpenPlatform.Hosting;

internal static class DashboardServices
{
    internal static IServiceCollection AddDashboard(this IServiceCollection services) => services;
}
