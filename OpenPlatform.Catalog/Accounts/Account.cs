using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Accounts;

/// <summary>A person who logs in with a password, where there is no identity provider.</summary>
/// <param name="Name">What is typed at the login.</param>
/// <param name="OrganizationId">Of a developer; null: not bound to one.</param>
/// <param name="Disabled">True: cannot log in, and its sessions ended.</param>
public sealed record Account(
    Guid Id, string Name, IReadOnlyList<Role> Roles, Guid? OrganizationId, bool Disabled, DateTimeOffset CreatedAt, [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 63 lower-case letters, digits, dots, hyphens, underscores and @; unique; does not change.</param>
/// <param name="Password">12 to 256 characters; only where the account is made.</param>
/// <param name="Roles">At least one.</param>
/// <param name="OrganizationId">Required for a developer, and only there.</param>
public sealed partial record AccountRequest([property: Required] string? Name, [property: Required] string? Password, [property: Required] IReadOnlyList<Role>? Roles, Guid? OrganizationId = null)
{
    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        if (Name is null || !LoginName().IsMatch(Name))
        {
            check.Add("/name", "must be 1 to 63 lower-case letters, digits, dots, hyphens, underscores and @, and begin with a letter or digit");
        }

        PasswordHash.Check("/password", Password, check);
        RoleNames.Check(Roles, OrganizationId, check);
        return check.Problem;
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9._@-]{0,62}\\z", RegexOptions.NonBacktracking)]
    private static partial Regex LoginName();
}

/// <summary>What of an account can be changed.</summary>
/// <param name="Roles">At least one.</param>
/// <param name="OrganizationId">Required for a developer, and only there.</param>
/// <param name="Disabled">True: cannot log in, and its sessions end.</param>
public sealed record AccountPatch([property: Required] IReadOnlyList<Role>? Roles, Guid? OrganizationId = null, bool Disabled = false)
{
    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        RoleNames.Check(Roles, OrganizationId, check);
        return check.Problem;
    }
}

/// <param name="Password">12 to 256 characters.</param>
public sealed record PasswordRequest([property: Required] string? Password)
{
    internal CatalogProblem? Check()
    {
        var check = new RequestCheck();
        PasswordHash.Check("/password", Password, check);
        return check.Problem;
    }
}

public sealed record LoginRequest([property: Required] string? Name, [property: Required] string? Password);

/// <param name="Token">Goes into <c>Authorization: Bearer</c>.</param>
/// <param name="ExpiresAt">First instant at which it no longer counts, UTC.</param>
public sealed record Session(string Token, DateTimeOffset ExpiresAt);

/// <param name="Actor">As the audit names it.</param>
public sealed record Self(string Actor, IReadOnlyList<Role> Roles, Guid? OrganizationId);
