using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Accounts;

/// <summary>A token with which a machine calls the admin API, without the token.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="OrganizationId">Of a developer's token; null: not bound to one.</param>
/// <param name="Prefix">First characters of the token, to tell it from others.</param>
/// <param name="ExpiresAt">First instant at which it no longer counts, UTC; null: does not expire.</param>
/// <param name="RevokedAt">When it was revoked, UTC; null: it was not.</param>
/// <param name="LastUsedOn">The last day on which somebody called with it, UTC; null: nobody has.</param>
public sealed record AccessToken(
    Guid Id, string Name, IReadOnlyList<Role> Roles, Guid? OrganizationId, string Prefix, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt,
    DateOnly? LastUsedOn, [property: JsonIgnore] long Etag) : ICatalogResource
{
    bool ICatalogResource.ShowsMoreThanEtag => LastUsedOn is not null;
}

/// <summary>The answer to the creation of a token: the only place where it is ever seen.</summary>
/// <param name="Token">Goes into <c>Authorization: Bearer</c>. Keep it: it cannot be read again.</param>
public sealed record IssuedToken(
    Guid Id, string Name, IReadOnlyList<Role> Roles, Guid? OrganizationId, string Prefix, string Token, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt,
    [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 200 characters.</param>
/// <param name="Roles">At least one.</param>
/// <param name="OrganizationId">Required for a developer, and only there.</param>
/// <param name="ExpiresAt">In the future; absent: does not expire.</param>
public sealed record AccessTokenRequest([property: Required] string? Name, [property: Required] IReadOnlyList<Role>? Roles, Guid? OrganizationId = null, DateTimeOffset? ExpiresAt = null)
{
    internal CatalogProblem? Check(DateTimeOffset now)
    {
        var check = new RequestCheck();
        check.DisplayName("/name", Name);
        RoleNames.Check(Roles, OrganizationId, check);
        if (ExpiresAt <= now)
        {
            check.Add("/expiresAt", "must be in the future");
        }

        return check.Problem;
    }
}
