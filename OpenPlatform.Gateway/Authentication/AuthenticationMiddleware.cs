using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Authentication.Tokens;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>
/// Who calls → 401 with <c>WWW-Authenticate</c>. An API key is looked for first; only a request without one is asked whether it
/// carries something else. Of several credentials the first of this order counts: API key, access token, app key, message
/// signature, client certificate.
/// </summary>
internal sealed class AuthenticationMiddleware(
    StepDelegate next, ApiKeyAuthenticator apiKeys, TokenAuthenticator tokens, HmacAuthenticator hmac, SignatureAuthenticator signatures,
    CredentialUses uses, RefusalWriter refusals, TimeProvider time) : IStep
{
    /// <summary>RFC 9421, 5.1: what a signature should cover.</summary>
    private const string AcceptSignature = "sig=(\"@method\" \"@authority\" \"@path\" \"@query\");created";

    public Task InvokeAsync(GatewayRequest request)
    {
        var context = request.Http;
        var refusal = apiKeys.Authenticate(context.Request, request);
        if (refusal == Refusal.None)
        {
            return next(request);
        }

        if (request.Snapshot.Identity is { } identity)
        {
            if (refusal == Refusal.UnknownKey && request.KeyInAuthorization && identity.Issuers.Count > 0
                && BearerToken(context.Request) is var token && TokenAuthenticator.LooksLikeToken(token))
            {
                request.Scheme = CredentialScheme.Jwt;
                return tokens.TryKnown(token, request, identity, out var digest)
                    ? next(request)
                    : TokenAsync(context, request, identity, token.ToString(), digest);
            }

            if (refusal == Refusal.MissingKey)
            {
                refusal = AuthenticateOther(context, request, identity);
            }
        }

        return refusal == Refusal.None ? next(request) : RefuseAsync(context, request, refusal);
    }

    private Refusal AuthenticateOther(HttpContext context, GatewayRequest request, IdentityIndex identity)
    {
        var headers = context.Request.Headers;
        if (headers.ContainsKey(HmacAuthenticator.KeyHeader))
        {
            request.Scheme = CredentialScheme.Hmac;
            return hmac.Authenticate(context, request, identity);
        }

        if (headers.ContainsKey(SignatureAuthenticator.InputHeader))
        {
            request.Scheme = CredentialScheme.Signature;
            return signatures.Authenticate(context, request, identity);
        }

        if (identity.HasCertificates && context.Connection.ClientCertificate is { } certificate)
        {
            request.Scheme = CredentialScheme.Certificate;
            Span<byte> thumbprint = stackalloc byte[SHA256.HashSizeInBytes];
            if (!certificate.TryGetCertHash(HashAlgorithmName.SHA256, thumbprint, out _)
                || identity.FindCertificate(KeyDigest.Read(thumbprint)) is not { } credential)
            {
                return Refusal.UnknownKey;
            }

            var now = time.GetUtcNow();
            if (now.UtcTicks >= credential.ExpiresAtTicks || now > new DateTimeOffset(certificate.NotAfter) || now < new DateTimeOffset(certificate.NotBefore))
            {
                return Refusal.ExpiredKey;
            }

            uses.Note(credential);
            return request.TryIdentify(credential.ApplicationId) ? Refusal.None : Refusal.UnknownKey;
        }

        return Refusal.MissingKey;
    }

    private static ReadOnlySpan<char> BearerToken(HttpRequest request) => request.Headers.Authorization[0].AsSpan("Bearer ".Length).Trim();

    private async Task TokenAsync(HttpContext context, GatewayRequest request, IdentityIndex identity, string token, KeyDigest digest)
    {
        var refusal = await tokens.AuthenticateAsync(token, digest, request, identity);
        await (refusal == Refusal.None ? next(request) : RefuseAsync(context, request, refusal));
    }

    private Task RefuseAsync(HttpContext context, GatewayRequest request, Refusal refusal)
    {
        var headers = context.Response.Headers;
        if (refusal == Refusal.IssuerKeysUnavailable)
        {
            headers.RetryAfter = "1";
            return refusals.WriteAsync(this, request, refusal);
        }

        // RFC 6750, 3.1: no error code when nothing was presented.
        headers.WWWAuthenticate = refusal == Refusal.MissingKey ? request.Snapshot.Identity?.Challenge ?? CredentialSchemeSet.Challenge(CredentialScheme.ApiKey)
            : request.Scheme is CredentialScheme.Hmac or CredentialScheme.Signature ? CredentialSchemeSet.Challenge(request.Scheme)
            : new StringValues("Bearer " + CredentialSchemeSet.Realm + ", error=\"invalid_token\"");
        if (request.Scheme == CredentialScheme.Signature)
        {
            headers["Accept-Signature"] = AcceptSignature;
        }

        return refusals.WriteAsync(this, request, refusal);
    }
}
