using System.Text;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog;

/// <summary>Settings of the catalog under <c>OpenPlatform</c>. The secrets have no default: without them it does not start.</summary>
public sealed class CatalogOptions
{
    public const string Section = "OpenPlatform";

    /// <summary>Fewest characters of a secret outside Development.</summary>
    public const int MinSecretLength = 16;

    /// <summary>Bearer token of <c>/admin/v1</c>.</summary>
    public string AdminToken { get; set; } = "";

    /// <summary>Bearer token of the internal API, shared with the gateways.</summary>
    public string ServiceToken { get; set; } = "";

    /// <summary>Its UTF-8 bytes are the HMAC pepper of API keys, shared with the gateways. Another pepper makes every key unknown.</summary>
    public string KeyPepper { get; set; } = "";

    /// <summary>Base64 of 32 bytes that close secrets which are needed in clear, shared with the gateways. Empty: no HMAC credentials, no tokens.</summary>
    public string EnvelopeKey { get; set; } = "";

    /// <summary>The envelope key before; opens what it closed.</summary>
    public string PreviousEnvelopeKey { get; set; } = "";

    /// <summary>API key of the demo application that Development seeds; empty: no key is seeded.</summary>
    public string DemoKey { get; set; } = "";

    internal byte[] KeyPepperBytes => Encoding.UTF8.GetBytes(KeyPepper);
}

internal static class CatalogOptionsServices
{
    public static IServiceCollection AddCatalogOptions(this IServiceCollection services)
    {
        services.AddOptions<CatalogOptions>().BindConfiguration(CatalogOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<CatalogOptions>, CatalogOptionsValidator>();
        return services;
    }
}

internal sealed class CatalogOptionsValidator(IHostEnvironment environment) : IValidateOptions<CatalogOptions>
{
    public ValidateOptionsResult Validate(string? name, CatalogOptions options)
    {
        var failures = new List<string>();
        Check(nameof(options.AdminToken), options.AdminToken, "the bearer token of /admin/v1");
        Check(nameof(options.ServiceToken), options.ServiceToken, "the bearer token that gateways present");
        Check(nameof(options.KeyPepper), options.KeyPepper, "the pepper of API keys");
        Envelope(nameof(options.EnvelopeKey), options.EnvelopeKey);
        Envelope(nameof(options.PreviousEnvelopeKey), options.PreviousEnvelopeKey);
        if (options.AdminToken.Length > 0 && options.AdminToken == options.ServiceToken)
        {
            failures.Add("OpenPlatform:AdminToken and OpenPlatform:ServiceToken must differ: a gateway is no operator.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Envelope(string key, string value)
        {
            try
            {
                if (value.Length > 0)
                {
                    SecretEnvelope.FromBase64(value).Dispose();
                }
            }
            catch (FormatException wrong)
            {
                failures.Add($"OpenPlatform:{key} {wrong.Message}.");
            }
        }

        // Never names the value.
        void Check(string key, string value, string meaning)
        {
            if (value.Length == 0)
            {
                failures.Add($"OpenPlatform:{key} ({meaning}) is not set. Set it in configuration, for example as the environment variable OpenPlatform__{key}.");
            }
            else if (value.Length < CatalogOptions.MinSecretLength && !environment.IsDevelopment())
            {
                failures.Add($"OpenPlatform:{key} ({meaning}) must have at least {CatalogOptions.MinSecretLength} characters.");
            }
        }
    }
}
