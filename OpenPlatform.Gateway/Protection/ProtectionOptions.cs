using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Protection;

/// <summary>Settings under <c>OpenPlatform:Gateway:Protection</c>.</summary>
public sealed class ProtectionOptions
{
    public const string Section = "OpenPlatform:Gateway:Protection";

    /// <summary>Largest body in bytes that is read whole to be checked: against its signed digest or its schema. Others are streamed.
    /// 1 to 64 MiB, default 1 MiB.</summary>
    [Range(1, 64 << 20)]
    public int MaxCheckedBodyBytes { get; set; } = 1 << 20;
}

[OptionsValidator]
internal sealed partial class ProtectionOptionsValidator : IValidateOptions<ProtectionOptions>;

internal static class ProtectionServices
{
    public static void AddProtection(this IServiceCollection services) =>
        services.AddOptionsWithValidateOnStart<ProtectionOptions, ProtectionOptionsValidator>().BindConfiguration(ProtectionOptions.Section);
}
