using Microsoft.AspNetCore.Authorization;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Security;

/// <summary>
/// Who may call what, in one step behind routing: the admin API by permission, gateways the internal API, everybody what says so, and by default nobody anything.
/// (Not ASP.NET Core's authentication and authorization: their schemes, tickets, claims and policies are for many ways to come in, and cost a read by key a tenth of all it costs.)
/// </summary>
internal static class Access
{
    public static IServiceCollection AddAccess(this IServiceCollection services) => services
        .AddHttpContextAccessor()
        .AddSingleton<CurrentCaller>()
        .AddSingleton<Callers>();

    /// <summary>What an endpoint of the admin API needs; one that says nothing is for nobody.</summary>
    public static T Needs<T>(this T endpoint, Permission permission)
        where T : IEndpointConventionBuilder => endpoint.WithMetadata(new NeededPermission(permission));

    /// <summary>For gateways and nobody else: an owner's token is as good as none.</summary>
    public static T ForGateways<T>(this T endpoint)
        where T : IEndpointConventionBuilder => endpoint.WithMetadata(new GatewaysOnly());

    public static IApplicationBuilder UseAccess(this IApplicationBuilder app) => app.UseMiddleware<Middleware>();

    private sealed class Middleware(RequestDelegate next, Callers callers)
    {
        public Task InvokeAsync(HttpContext context)
        {
            var endpoint = context.GetEndpoint();
            if (endpoint?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            {
                return next(context);
            }

            if (context.Request.Headers.Authorization is not [{ } presented])
            {
                return ChallengeAsync(context);
            }

            // Who needs no database to be known is known by now: nothing is waited for, and no step more is made.
            var finding = callers.FindOrNullAsync(presented, context.RequestAborted);
            return finding.IsCompletedSuccessfully ? AnswerAsync(context, endpoint, finding.Result) : AnswerWhenFoundAsync(context, endpoint, finding);
        }

        private async Task AnswerWhenFoundAsync(HttpContext context, Endpoint? endpoint, ValueTask<Caller?> finding) => await AnswerAsync(context, endpoint, await finding);

        private Task AnswerAsync(HttpContext context, Endpoint? endpoint, Caller? caller)
        {
            if (caller is null)
            {
                return ChallengeAsync(context);
            }

            var needed = endpoint?.Metadata.GetMetadata<NeededPermission>();
            if (!IsFor(caller, endpoint, needed))
            {
                // Who has a role is told what it lacks; a gateway's token on the admin API is as good as none, and the other way round.
                return needed is not null && caller.Roles.Count > 0 ? CatalogProblem.Forbidden(needed.Permission).ExecuteAsync(context) : ChallengeAsync(context);
            }

            context.Features.Set(caller);
            return next(context);
        }

        private static bool IsFor(Caller caller, Endpoint? endpoint, NeededPermission? needed) =>
            needed is not null ? caller.May(needed.Permission)
            : endpoint is RouteEndpoint ? ReferenceEquals(caller, Caller.Gateway) && endpoint.Metadata.GetMetadata<GatewaysOnly>() is not null
            : caller.Roles.Count > 0; // what is not there (404, 405, 415) tells nothing to strangers

        private static Task ChallengeAsync(HttpContext context)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            return CatalogProblem.Unauthorized().ExecuteAsync(context);
        }
    }
}

/// <summary>Metadata of an endpoint: what its caller must have. Who has it: <see cref="RoleMatrix"/>.</summary>
internal sealed record NeededPermission(Permission Permission);

/// <summary>Metadata of an endpoint: only gateways call it.</summary>
internal sealed class GatewaysOnly;
