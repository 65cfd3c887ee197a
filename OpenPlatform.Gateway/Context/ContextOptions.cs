using System.Net;
using Microsoft.Extensions.Options;
using ForwardedHeaders = Microsoft.AspNetCore.HttpOverrides.ForwardedHeaders;

namespace OpenPlatform.Gateway.Context;

/// <summary>The field by which a proxy in front of the gateway says who called it.</summary>
public enum ProxyField
{
    /// <summary><c>X-Forwarded-For</c>, with <c>X-Forwarded-Proto</c> and <c>X-Forwarded-Host</c>.</summary>
    XForwardedFor,

    /// <summary><c>Forwarded</c> (RFC 7239).</summary>
    Forwarded,
}

/// <summary>Settings under <c>OpenPlatform:Gateway:Context</c>.</summary>
public sealed class ContextOptions
{
    public const string Section = "OpenPlatform:Gateway:Context";

    /// <summary>Proxies whose word counts, as addresses or CIDR ranges, for example <c>10.0.0.0/8</c>. Default: none.</summary>
    public IList<string> TrustedProxies { get; } = [];

    /// <summary>Which field is believed. One, not both: a proxy that writes one usually passes the other on as it came from the
    /// client. Default <see cref="Context.ProxyField.XForwardedFor"/>.</summary>
    public ProxyField ProxyField { get; set; }
}

internal sealed class ContextOptionsValidator : IValidateOptions<ContextOptions>
{
    public ValidateOptionsResult Validate(string? name, ContextOptions options)
    {
        var errors = new ValidateOptionsResultBuilder();
        for (var i = 0; i < options.TrustedProxies.Count; i++)
        {
            if (!TryParse(options.TrustedProxies[i], out _))
            {
                errors.AddError($"{ContextOptions.Section}:TrustedProxies:{i} must be an address or a range such as 10.0.0.0/8, is \"{options.TrustedProxies[i]}\".");
            }
        }

        return errors.Build();
    }

    /// <summary>Reads a CIDR range, or an address as the range that holds it alone.</summary>
    public static bool TryParse(string text, out IPNetwork network)
    {
        if (!text.Contains('/', StringComparison.Ordinal) && IPAddress.TryParse(text, out var single))
        {
            network = new(single, single.GetAddressBytes().Length * 8);
            return true;
        }

        return IPNetwork.TryParse(text, out network);
    }
}

internal static class ContextServices
{
    public static void AddRequestContext(this IServiceCollection services)
    {
        // ASPNETCORE_FORWARDEDHEADERS_ENABLED, which Aspire sets for every project, believes whoever calls. Only TrustedProxies are believed here.
        services.PostConfigure<ForwardedHeadersOptions>(static options => options.ForwardedHeaders = ForwardedHeaders.None);
        services.AddOptionsWithValidateOnStart<ContextOptions, ContextOptionsValidator>().BindConfiguration(ContextOptions.Section);
        services.AddSingleton<OriginReader>().AddSingleton<RequestContext>();
    }
}
