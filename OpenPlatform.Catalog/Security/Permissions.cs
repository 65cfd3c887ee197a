using Microsoft.AspNetCore.Authorization;

namespace OpenPlatform.Catalog.Security;

/// <summary>Metadata of an endpoint: what its caller must have.</summary>
internal sealed record NeededPermission(Permission Permission);

internal static class Permissions
{
    /// <summary>The policy of the whole admin API: each endpoint says with <see cref="Needs{T}"/> what it needs, and one that does not is for nobody.</summary>
    public const string Policy = "permission";

    public static T Needs<T>(this T endpoint, Permission permission)
        where T : IEndpointConventionBuilder => endpoint.WithMetadata(new NeededPermission(permission));

    internal sealed class Requirement : IAuthorizationRequirement;

    internal sealed class Handler : AuthorizationHandler<Requirement>
    {
        protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, Requirement requirement)
        {
            if (context.Resource is HttpContext http
                && http.GetEndpoint()?.Metadata.GetMetadata<NeededPermission>() is { } needed
                && Caller.Of(context.User).May(needed.Permission))
            {
                context.Succeed(requirement);
            }

            return Task.CompletedTask;
        }
    }
}
