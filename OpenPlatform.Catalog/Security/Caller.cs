using System.Reflection;
using System.Security.Claims;

namespace OpenPlatform.Catalog.Security;

/// <summary>Who calls. An endpoint that takes one as parameter gets it from the request.</summary>
/// <param name="Actor">Stable and fit for the audit, never a secret: <c>token:deployment</c>, <c>account:mara</c>, <c>system</c>. At most 200 characters.</param>
/// <param name="Roles">What it is; none: nothing of the admin API is for it.</param>
/// <param name="OrganizationId">The only organization whose things it sees and changes; null: not bound to one.</param>
internal sealed record Caller(string Actor, IReadOnlyList<Role> Roles, Guid? OrganizationId)
{
    private const string OrganizationClaim = "organization";

    /// <summary>The catalog itself: start-up and background work. Asks nobody.</summary>
    public static Caller System { get; } = new("system", [], null);

    public static ValueTask<Caller?> BindAsync(HttpContext context, ParameterInfo parameter) => ValueTask.FromResult<Caller?>(Of(context.User));

    public bool May(Permission permission) => RoleMatrix.Allows(Roles, permission);

    /// <summary>Whether things of this organization are the caller's business.</summary>
    public bool Sees(Guid organizationId) => OrganizationId is null || OrganizationId == organizationId;

    /// <summary>The caller as the authentication handler puts it into the request.</summary>
    public ClaimsPrincipal ToPrincipal(string scheme)
    {
        var identity = new ClaimsIdentity(scheme) { BootstrapContext = this };
        identity.AddClaim(new(ClaimTypes.Name, Actor));
        identity.AddClaims(Roles.Select(static role => new Claim(ClaimTypes.Role, role.ToString())));
        if (OrganizationId is { } organization)
        {
            identity.AddClaim(new(OrganizationClaim, organization.ToString()));
        }

        return new(identity);
    }

    public static Caller Of(ClaimsPrincipal principal) => (principal.Identity as ClaimsIdentity)?.BootstrapContext as Caller ?? new(
        principal.Identity?.Name ?? "anonymous",
        [.. principal.FindAll(ClaimTypes.Role).Select(static claim => Enum.TryParse<Role>(claim.Value, out var role) ? role : (Role?)null).OfType<Role>()],
        principal.FindFirst(OrganizationClaim) is { } organization ? Guid.Parse(organization.Value) : null);
}

/// <summary>Who calls, for what runs deep below an endpoint; outside of a request it is the catalog itself.</summary>
internal sealed class CurrentCaller(IHttpContextAccessor requests)
{
    public Caller Get() => requests.HttpContext is { } context ? Caller.Of(context.User) : Caller.System;
}
