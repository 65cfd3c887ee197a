using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Credentials;

/// <summary>An API key of an application, without the key.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="Prefix">First characters of the key, to tell it from others.</param>
/// <param name="ExpiresAt">First instant at which it no longer counts, UTC; null: does not expire.</param>
/// <param name="RevokedAt">When it was revoked, UTC; null: it was not.</param>
public sealed record Credential(
    Guid Id, Guid ApplicationId, string Name, string Prefix, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt,
    [property: JsonIgnore] long Etag) : ICatalogResource;

/// <summary>The answer to the creation of a credential: the only place where the key is ever seen.</summary>
/// <param name="Key">Goes into <c>X-Api-Key</c>. Keep it: it cannot be read again.</param>
public sealed record IssuedCredential(
    Guid Id, Guid ApplicationId, string Name, string Prefix, string Key, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt,
    [property: JsonIgnore] long Etag) : ICatalogResource;

/// <param name="Name">1 to 200 characters; <c>default</c> when absent.</param>
/// <param name="ExpiresAt">In the future; absent: does not expire.</param>
public sealed record CredentialRequest([property: Required] Guid? ApplicationId, string? Name = null, DateTimeOffset? ExpiresAt = null)
{
    public const string DefaultName = "default";

    internal CatalogProblem? Check(DateTimeOffset now)
    {
        var check = new RequestCheck();
        check.Id("/applicationId", ApplicationId);
        check.DisplayName("/name", Name ?? DefaultName);
        if (ExpiresAt <= now)
        {
            check.Add("/expiresAt", "must be in the future");
        }

        return check.Problem;
    }
}
