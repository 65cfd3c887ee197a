using System.Reflection;

namespace OpenPlatform.Catalog.Security;

/// <summary>Who calls. An endpoint that takes one as parameter gets it from the request.</summary>
/// <param name="Actor">Stable and fit for the audit, never a secret: <c>token:deployment</c>, <c>account:mara</c>, <c>system</c>. At most 200 characters.</param>
/// <param name="Roles">What it is; none: nothing of the admin API is for it.</param>
/// <param name="OrganizationId">The only organization whose things it sees and changes; null: not bound to one.</param>
internal sealed record Caller(string Actor, IReadOnlyList<Role> Roles, Guid? OrganizationId)
{
    /// <summary>The catalog itself: start-up and background work. Asks nobody.</summary>
    public static Caller System { get; } = new("system", [], null);

    /// <summary>The holder of <c>OpenPlatform:AdminToken</c>: an owner who needs no database to be known.</summary>
    public static Caller Deployment { get; } = new("token:deployment", [Role.Owner], null);

    /// <summary>The holder of <c>OpenPlatform:ServiceToken</c>.</summary>
    public static Caller Gateway { get; } = new("gateway", [], null);

    /// <summary>Who has proved nothing.</summary>
    public static Caller Anonymous { get; } = new("anonymous", [], null);

    public static ValueTask<Caller?> BindAsync(HttpContext context, ParameterInfo parameter) => ValueTask.FromResult<Caller?>(Of(context));

    public static Caller Of(HttpContext context) => context.Features.Get<Caller>() ?? Anonymous;

    public bool May(Permission permission) => RoleMatrix.Allows(Roles, permission);

    /// <summary>Whether things of this organization are the caller's business.</summary>
    public bool Sees(Guid organizationId) => OrganizationId is null || OrganizationId == organizationId;
}

/// <summary>Who calls, for what runs deep below an endpoint; outside of a request it is the catalog itself.</summary>
internal sealed class CurrentCaller(IHttpContextAccessor requests)
{
    public Caller Get() => requests.HttpContext is { } context ? Caller.Of(context) : Caller.System;
}
