using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.ServiceDefaults.Instances;

/// <summary>Who this process is: the same words in its telemetry, its lease and its answers.</summary>
/// <param name="Service"><c>OpenPlatform:Leases:Service</c>, else <c>OTEL_SERVICE_NAME</c>, else the application's name.</param>
/// <param name="InstanceId"><c>service.instance.id</c> of <c>OTEL_RESOURCE_ATTRIBUTES</c>, else the service name and a random part;
/// 1 to 128 characters of <c>[A-Za-z0-9._-]</c>.</param>
public sealed record ServiceIdentity(string Service, string InstanceId)
{
    internal static ServiceIdentity Read(IConfiguration configuration, string applicationName)
    {
        var service = FirstOf(configuration["OpenPlatform:Leases:Service"], configuration["OTEL_SERVICE_NAME"], applicationName);
        return new ServiceIdentity(service, Attribute(configuration["OTEL_RESOURCE_ATTRIBUTES"], "service.instance.id") is { } id && IsInstanceId(id)
            ? id
            : $"{Simplify(service)}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}");
    }

    internal static bool IsInstanceId(string id) => id.Length is >= 1 and <= 128 && id.All(IsInstanceIdCharacter);

    /// <summary>The value of one <c>name=value</c> in a comma-separated list, or null.</summary>
    internal static string? Attribute(string? attributes, string name) => attributes?
        .Split(',', StringSplitOptions.TrimEntries)
        .Select(pair => pair.Split('=', 2))
        .FirstOrDefault(pair => pair is [var key, _] && key == name)?[1];

    private static bool IsInstanceIdCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-';

    private static string Simplify(string service) =>
        string.Concat(service.Take(64).Select(c => IsInstanceIdCharacter(c) ? char.ToLowerInvariant(c) : '-'));

    private static string FirstOf(params string?[] candidates) => candidates.First(c => !string.IsNullOrWhiteSpace(c))!;
}

internal static class ServiceIdentityServices
{
    public static void AddServiceIdentity(this IHostApplicationBuilder builder) =>
        builder.Services.TryAddSingleton(services =>
            ServiceIdentity.Read(services.GetRequiredService<IConfiguration>(), services.GetRequiredService<IHostEnvironment>().ApplicationName));
}
