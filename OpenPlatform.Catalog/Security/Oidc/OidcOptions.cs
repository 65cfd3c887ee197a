using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Accounts;

namespace OpenPlatform.Catalog.Security.Oidc;

/// <summary>Settings under <c>OpenPlatform:Oidc</c>: people come in with tokens of an identity provider. Without an authority nobody does.</summary>
public sealed class OidcOptions
{
    public const string Section = "OpenPlatform:Oidc";

    /// <summary>The issuer, as its tokens name it; its configuration is at <c>/.well-known/openid-configuration</c> below. https, save on this machine.</summary>
    public string Authority { get; set; } = "";

    /// <summary>What tokens must be for.</summary>
    public string Audience { get; set; } = "";

    /// <summary>Claim that holds the roles or groups: one text or a list of them.</summary>
    public string RoleClaim { get; set; } = "roles";

    /// <summary>Role by value of the claim: <c>Roles:platform-admins = owner</c>. A value that is not here gives no role.</summary>
    public Dictionary<string, string> Roles { get; } = new(StringComparer.Ordinal);

    /// <summary>Claim that holds the id of the organization of a developer.</summary>
    public string OrganizationClaim { get; set; } = "organization";

    /// <summary>How far the issuer's clock may be from ours. 0 to 5 min.</summary>
    public TimeSpan ClockSkew { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long the issuer's keys count before they are fetched again. 1 min to 1 day.</summary>
    public TimeSpan KeysInterval { get; set; } = TimeSpan.FromHours(1);

    internal bool IsOn => Authority.Length > 0;
}

internal sealed class OidcOptionsValidator : IValidateOptions<OidcOptions>
{
    public ValidateOptionsResult Validate(string? name, OidcOptions options)
    {
        if (!options.IsOn)
        {
            return ValidateOptionsResult.Success;
        }

        var failures = new List<string>();
        if (!Uri.TryCreate(options.Authority, UriKind.Absolute, out var authority) || authority.Scheme != Uri.UriSchemeHttps && !(authority.Scheme == Uri.UriSchemeHttp && authority.IsLoopback))
        {
            failures.Add("OpenPlatform:Oidc:Authority must be an https URL.");
        }

        if (options.Audience.Length == 0)
        {
            failures.Add("OpenPlatform:Oidc:Audience is not set: tokens for others would count.");
        }

        if (options.Roles.Count == 0)
        {
            failures.Add("OpenPlatform:Oidc:Roles is not set: nobody would have a role.");
        }

        failures.AddRange(options.Roles.Where(static role => RoleNames.RoleOrNull(role.Value) is null).Select(static role =>
            $"OpenPlatform:Oidc:Roles:{role.Key} must be one of {string.Join(", ", RoleNames.Of(Enum.GetValues<Role>()))}."));
        if (options.ClockSkew < TimeSpan.Zero || options.ClockSkew > TimeSpan.FromMinutes(5))
        {
            failures.Add("OpenPlatform:Oidc:ClockSkew must be 0 to 5 min.");
        }

        if (options.KeysInterval < TimeSpan.FromMinutes(1) || options.KeysInterval > TimeSpan.FromDays(1))
        {
            failures.Add("OpenPlatform:Oidc:KeysInterval must be 1 min to 1 day.");
        }

        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
