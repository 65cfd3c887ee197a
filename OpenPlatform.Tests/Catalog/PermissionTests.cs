using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Tests.Catalog;

public sealed class PermissionTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    /// <summary>What anybody may ask without being known. Whoever adds to it says here why.</summary>
    private static readonly string[] ForEverybody =
    [
        "/openapi/{documentName}.json", // describes the API, holds nothing of this deployment
        "/health", "/alive",            // asked by orchestrators
        "/admin/v1/login",              // who is about to become known
        "/oauth/token", "/oauth/revoke", "/oauth/introspect",               // clients prove themselves in the request
        "/oauth/jwks", "/.well-known/oauth-authorization-server",           // public by nature
    ];

    [Fact]
    public void Every_endpoint_says_what_its_caller_needs()
    {
        using var client = fixture.Catalog.Anonymous(); // starts it
        var endpoints = fixture.Catalog.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();

        Assert.True(endpoints.Count > 20, "the endpoints of the catalog are not seen");
        foreach (var endpoint in endpoints)
        {
            var path = "/" + endpoint.RoutePattern.RawText!.TrimStart('/');
            if (path.StartsWith("/admin", StringComparison.Ordinal) && !ForEverybody.Contains(path))
            {
                Assert.Null(endpoint.Metadata.GetMetadata<IAllowAnonymous>());
                Assert.True(endpoint.Metadata.GetMetadata<NeededPermission>() is not null, $"{endpoint.DisplayName} needs .Needs(Permission.…)");
                Assert.Null(endpoint.Metadata.GetMetadata<GatewaysOnly>());
            }
            else if (path.StartsWith("/internal", StringComparison.Ordinal))
            {
                Assert.NotNull(endpoint.Metadata.GetMetadata<GatewaysOnly>());
                Assert.Null(endpoint.Metadata.GetMetadata<NeededPermission>());
                Assert.Null(endpoint.Metadata.GetMetadata<IAllowAnonymous>());
            }
            else
            {
                Assert.Contains(path, ForEverybody);
            }
        }
    }

    [Fact]
    public void An_owner_may_do_everything_and_nobody_else_lets_people_in()
    {
        Assert.All(Enum.GetValues<Permission>(), static permission => Assert.True(RoleMatrix.Allows([Role.Owner], permission)));
        Assert.DoesNotContain(Enum.GetValues<Role>(), static role => role != Role.Owner && RoleMatrix.Allows([role], Permission.WriteAccess));
        Assert.False(RoleMatrix.Allows([], Permission.UseSelf));
    }
}
