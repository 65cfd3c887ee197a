namespace OpenPlatform.Catalog.Tokens;

/// <summary>An application that has proven itself at the token endpoint.</summary>
/// <param name="Id">Its id, the <c>client_id</c>.</param>
/// <param name="CredentialId">What it proved itself with; revoking that ends the tokens that were got with it.</param>
/// <param name="ExpiresAt">When the credential ends; no token outlives it.</param>
internal sealed record OAuthClient(Guid Id, Guid CredentialId, DateTimeOffset? ExpiresAt);
