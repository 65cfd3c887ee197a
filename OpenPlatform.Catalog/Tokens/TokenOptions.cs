using Microsoft.Extensions.Options;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>Settings of the token endpoint under <c>OpenPlatform:Tokens</c>. Without an issuer, or without an envelope key, there is none.</summary>
public sealed class TokenOptions
{
    public const string Section = "OpenPlatform:Tokens";

    /// <summary>What partners reach the catalog at, such as <c>https://login.example</c>: the <c>iss</c> of tokens. Without path; https, or http in Development and on loopback.</summary>
    public string Issuer { get; set; } = "";

    /// <summary>The <c>aud</c> of access tokens: the APIs behind the gateways.</summary>
    public string Audience { get; set; } = "urn:openplatform:apis";

    /// <summary>How long an access token counts, 1 min to 1 h.</summary>
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a key signs before the next one does, 1 h to 365 d.</summary>
    public TimeSpan KeyLifetime { get; set; } = TimeSpan.FromDays(30);

    /// <summary>How long a key is published before it signs, so that whoever remembers the key set has it by then, 0 to 7 d.</summary>
    public TimeSpan KeyAhead { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Failed authentications of one client from one address within a minute, after which it waits for the next, 1 to 1000.</summary>
    public int FailuresPerMinute { get; set; } = 20;

    internal bool IsOn => Issuer.Length > 0;
}

internal sealed class TokenOptionsValidator(IHostEnvironment environment, IOptions<CatalogOptions> catalog) : IValidateOptions<TokenOptions>
{
    public ValidateOptionsResult Validate(string? name, TokenOptions options)
    {
        var failures = new List<string>();
        if (options.IsOn)
        {
            if (!Uri.TryCreate(options.Issuer, UriKind.Absolute, out var issuer) || issuer.Scheme is not ("http" or "https") || issuer.PathAndQuery != "/"
                || issuer.Fragment.Length > 0 || issuer.UserInfo.Length > 0 || options.Issuer.EndsWith('/'))
            {
                failures.Add("OpenPlatform:Tokens:Issuer must be an absolute http or https URL without path, query and trailing slash.");
            }
            else if (issuer.Scheme == "http" && !issuer.IsLoopback && !environment.IsDevelopment())
            {
                failures.Add("OpenPlatform:Tokens:Issuer must be https: client secrets travel to it.");
            }

            if (catalog.Value.EnvelopeKey.Length == 0)
            {
                failures.Add("OpenPlatform:Tokens:Issuer needs OpenPlatform:EnvelopeKey, which closes the keys that sign tokens.");
            }
        }

        Range(nameof(options.Lifetime), options.Lifetime, TimeSpan.FromMinutes(1), TimeSpan.FromHours(1));
        Range(nameof(options.KeyLifetime), options.KeyLifetime, TimeSpan.FromHours(1), TimeSpan.FromDays(365));
        Range(nameof(options.KeyAhead), options.KeyAhead, TimeSpan.Zero, TimeSpan.FromDays(7));
        if (options.Audience.Length is 0 or > 512)
        {
            failures.Add("OpenPlatform:Tokens:Audience must be 1 to 512 characters.");
        }

        if (options.FailuresPerMinute is < 1 or > 1000)
        {
            failures.Add("OpenPlatform:Tokens:FailuresPerMinute must be 1 to 1000.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Range(string key, TimeSpan value, TimeSpan least, TimeSpan most)
        {
            if (value < least || value > most)
            {
                failures.Add($"OpenPlatform:Tokens:{key} must be {least:c} to {most:c}.");
            }
        }
    }
}
