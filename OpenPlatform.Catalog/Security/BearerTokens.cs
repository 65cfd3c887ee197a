using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Security;

/// <summary>Who may call what: operators the admin API, gateways the internal one, and by default nobody anything.</summary>
internal static class BearerTokens
{
    public const string Operator = "operator";
    public const string Gateway = "gateway";

    public static IServiceCollection AddBearerTokens(this IServiceCollection services)
    {
        services.AddAuthentication(BearerTokenHandler.Scheme).AddScheme<AuthenticationSchemeOptions, BearerTokenHandler>(BearerTokenHandler.Scheme, null);
        services.AddAuthorizationBuilder()
            .AddPolicy(Operator, static policy => policy.RequireRole(Operator))
            .AddPolicy(Gateway, static policy => policy.RequireRole(Gateway))
            // An endpoint that says nothing is for operators.
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireRole(Operator).Build());
        return services;
    }
}

/// <summary>Knows the two tokens of the deployment. Compares in constant time, whatever the length presented.</summary>
internal sealed class BearerTokenHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> schemeOptions, ILoggerFactory loggers, UrlEncoder encoder, IOptions<CatalogOptions> options)
    : AuthenticationHandler<AuthenticationSchemeOptions>(schemeOptions, loggers, encoder)
{
    public new const string Scheme = "Bearer";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization;
        if (header.Count != 1 || header[0] is not { } value || !value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }

        var presented = value["Bearer ".Length..].Trim();
        // Both are compared always: the time says nothing about which one came close.
        var isOperator = Matches(presented, options.Value.AdminToken);
        var isGateway = Matches(presented, options.Value.ServiceToken);
        if (!isOperator && !isGateway)
        {
            return Task.FromResult(AuthenticateResult.Fail("unknown token"));
        }

        var role = isOperator ? BearerTokens.Operator : BearerTokens.Gateway;
        var identity = new ClaimsIdentity([new(ClaimTypes.Role, role), new(ClaimTypes.Name, role)], Scheme);
        return Task.FromResult(AuthenticateResult.Success(new(new ClaimsPrincipal(identity), Scheme)));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer";
        return CatalogProblem.Unauthorized().ExecuteAsync(Context);
    }

    // A gateway's token on the admin API is as good as none, and the other way round.
    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) => HandleChallengeAsync(properties);

    // Hashing makes both sides 32 bytes, so neither content nor length shows in the time.
    private static bool Matches(string presented, string expected) => CryptographicOperations.FixedTimeEquals(
        SHA256.HashData(Encoding.UTF8.GetBytes(presented)), SHA256.HashData(Encoding.UTF8.GetBytes(expected)));
}
