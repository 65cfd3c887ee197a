using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Security;

/// <summary>Who may call what: the admin API by role, gateways the internal one, and by default nobody anything.</summary>
internal static class BearerTokens
{
    public const string Gateway = "gateway";

    /// <summary>The holder of <c>OpenPlatform:AdminToken</c>: an owner who needs no database to be known.</summary>
    internal static readonly Caller Deployment = new("token:deployment", [Role.Owner], null);

    public static IServiceCollection AddBearerTokens(this IServiceCollection services)
    {
        services.AddAuthentication(BearerTokenHandler.Scheme).AddScheme<AuthenticationSchemeOptions, BearerTokenHandler>(BearerTokenHandler.Scheme, null);
        services.AddAuthorizationBuilder()
            .AddPolicy(Permissions.Policy, static policy => policy.AddRequirements(new Permissions.Requirement()))
            .AddPolicy(Gateway, static policy => policy.RequireRole(Gateway))
            // What is not there tells nothing to strangers; an endpoint of the admin API that says nothing is for nobody.
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireRole(Enum.GetNames<Role>()).Build());
        services.AddSingleton<IAuthorizationHandler, Permissions.Handler>();
        services.AddHttpContextAccessor();
        services.AddSingleton<CurrentCaller>();
        services.AddSingleton<Callers>();
        services.AddSingleton<DeploymentTokens>();
        return services;
    }
}

/// <summary>Knows the two tokens of the deployment by itself, which it compares in constant time whatever the length presented; asks <see cref="Callers"/> for all others.</summary>
internal sealed class BearerTokenHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> schemeOptions, ILoggerFactory loggers, UrlEncoder encoder, DeploymentTokens deploymentTokens, Callers callers)
    : AuthenticationHandler<AuthenticationSchemeOptions>(schemeOptions, loggers, encoder)
{
    public new const string Scheme = "Bearer";

    // Made once: they are the same for every request.
    private static readonly ClaimsPrincipal Deployment = BearerTokens.Deployment.ToPrincipal(Scheme);
    private static readonly ClaimsPrincipal Gateway =
        new(new ClaimsIdentity([new(ClaimTypes.Role, BearerTokens.Gateway), new(ClaimTypes.Name, BearerTokens.Gateway)], Scheme));

    /// <summary>What stands behind <c>Bearer</c>, or null when nothing does.</summary>
    public static string? PresentedOrNull(HttpRequest request) =>
        request.Headers.Authorization is [{ } value] && value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? value["Bearer ".Length..].Trim() : null;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (PresentedOrNull(Request) is not { } presented)
        {
            return AuthenticateResult.NoResult();
        }

        // Both are compared always: the time says nothing about which one came close. Of hashes, so that neither content nor length shows in it.
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(presented));
        var isDeployment = CryptographicOperations.FixedTimeEquals(hash, deploymentTokens.Admin);
        var isGateway = CryptographicOperations.FixedTimeEquals(hash, deploymentTokens.Service);
        if (isGateway)
        {
            return AuthenticateResult.Success(new(Gateway, Scheme));
        }

        if (isDeployment)
        {
            return AuthenticateResult.Success(new(Deployment, Scheme));
        }

        return await callers.FindOrNullAsync(presented, Context.RequestAborted) is { } caller
            ? AuthenticateResult.Success(new(caller.ToPrincipal(Scheme), Scheme))
            : AuthenticateResult.Fail("unknown token");
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        Response.Headers.WWWAuthenticate = "Bearer";
        return CatalogProblem.Unauthorized().ExecuteAsync(Context);
    }

    // A gateway's token on the admin API is as good as none, and the other way round. Who has a role is told what it lacks.
    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) =>
        Context.GetEndpoint()?.Metadata.GetMetadata<NeededPermission>() is { } needed && Caller.Of(Context.User).Roles.Count > 0
            ? CatalogProblem.Forbidden(needed.Permission).ExecuteAsync(Context)
            : HandleChallengeAsync(properties);
}

/// <summary>Hashes of the two tokens of the deployment, made once.</summary>
internal sealed class DeploymentTokens(IOptions<CatalogOptions> options)
{
    public byte[] Admin { get; } = SHA256.HashData(Encoding.UTF8.GetBytes(options.Value.AdminToken));

    public byte[] Service { get; } = SHA256.HashData(Encoding.UTF8.GetBytes(options.Value.ServiceToken));
}
