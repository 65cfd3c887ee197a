using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Credentials;

/// <summary>What an application proves itself with.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CredentialType>))]
public enum CredentialType
{
    /// <summary>A key in <c>X-Api-Key</c>.</summary>
    [JsonStringEnumMemberName("api-key")]
    ApiKey,

    /// <summary>A shared secret that signs requests, docs/signing.md.</summary>
    [JsonStringEnumMemberName("hmac")]
    Hmac,

    /// <summary>A public key that verifies signed requests, RFC 9421.</summary>
    [JsonStringEnumMemberName("public-key")]
    PublicKey,

    /// <summary>A client certificate, known by its thumbprint.</summary>
    [JsonStringEnumMemberName("certificate")]
    Certificate,

    /// <summary>A secret for the token endpoint.</summary>
    [JsonStringEnumMemberName("client-secret")]
    ClientSecret,

    /// <summary>A public key that verifies assertions at the token endpoint (<c>private_key_jwt</c>).</summary>
    [JsonStringEnumMemberName("client-key")]
    ClientKey,
}

/// <summary>A credential of an application, without anything secret.</summary>
/// <param name="Name">What people call it.</param>
/// <param name="Prefix">First characters of a generated key or secret, to tell it from others.</param>
/// <param name="KeyId">What a signed request names it by; null where nothing is signed.</param>
/// <param name="Algorithm">How a signature by it is verified; null where nothing is signed.</param>
/// <param name="Thumbprint">SHA-256 of a certificate, 64 hexadecimal digits.</param>
/// <param name="Replaces">The credential that was rotated into this one.</param>
/// <param name="ExpiresAt">First instant at which it no longer counts, UTC; null: does not expire.</param>
/// <param name="RevokedAt">When it was revoked, UTC; null: it was not.</param>
/// <param name="LastUsedOn">The last day (UTC) on which a gateway or the token endpoint saw it; null: never.</param>
public record Credential(
    Guid Id, Guid ApplicationId, CredentialType Type, string Name, string? Prefix, string? KeyId, string? Algorithm, string? Thumbprint, Guid? Replaces,
    DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt, DateOnly? LastUsedOn, [property: JsonIgnore] long Etag) : ICatalogResource
{
    bool ICatalogResource.ShowsMoreThanEtag => LastUsedOn is not null;
}

/// <summary>The answer to the creation of a credential: the only place where a generated key or secret is ever seen.</summary>
public sealed record IssuedCredential : Credential
{
    internal IssuedCredential(Credential credential)
        : base(credential)
    {
    }

    /// <summary>An API key, for <c>X-Api-Key</c>. Keep it: it cannot be read again.</summary>
    public string? Key { get; init; }

    /// <summary>A signing or client secret. Keep it: it cannot be read again.</summary>
    public string? Secret { get; init; }
}
