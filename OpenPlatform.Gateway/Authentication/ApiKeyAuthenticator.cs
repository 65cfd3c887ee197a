using System.Text;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>API key → application. The key is hashed on the stack and looked up by its hash: it is never logged, and kept nowhere but with the
/// connection that presents it again and again, whose header it is anyway.</summary>
internal sealed class ApiKeyAuthenticator
{
    public const string KeyHeader = "X-Api-Key";
    private const string BearerPrefix = "Bearer ";

    private readonly byte[] _pepper;
    private readonly CredentialUses _uses;
    private readonly TimeProvider _time;

    public ApiKeyAuthenticator(IConfiguration configuration, CredentialUses uses, TimeProvider time)
    {
        _pepper = Encoding.UTF8.GetBytes(configuration["OpenPlatform:KeyPepper"]!); // SharedSecrets, DeploymentSecrets
        _uses = uses;
        _time = time;
    }

    /// <summary>Fills in the application, or says why not. Allocates nothing.</summary>
    public Refusal Authenticate(HttpRequest http, GatewayRequest request)
    {
        var refusal = FindKey(http.Headers, request, out var key);
        if (refusal != Refusal.None)
        {
            return refusal;
        }

        var known = request.Client?.Key;
        if (known?.Find(key, request.Snapshot) is not { } credential)
        {
            Span<byte> hash = stackalloc byte[KeyHash.Size];
            if (!KeyHash.TryCompute(_pepper, key, hash)
                || request.Snapshot.FindCredential(KeyDigest.Read(hash)) is not { } found)
            {
                return Refusal.UnknownKey;
            }

            credential = found;
            known?.Remember(key, request.Snapshot, KeyDigest.Read(hash), credential);
        }

        if (credential.ExpiresAtTicks != long.MaxValue && _time.GetUtcNow().UtcTicks >= credential.ExpiresAtTicks)
        {
            return Refusal.ExpiredKey;
        }

        _uses.Note(credential);
        return request.TryIdentify(credential.ApplicationId) ? Refusal.None : Refusal.UnknownKey;
    }

    private static Refusal FindKey(IHeaderDictionary headers, GatewayRequest request, out ReadOnlySpan<char> key)
    {
        key = default;
        var presented = headers.TryGetValue(KeyHeader, out var own) ? own : StringValues.Empty;
        var authorization = headers.Authorization;
        if (presented.Count > 1 || authorization.Count > 1)
        {
            return Refusal.ConflictingKeys;
        }

        ReadOnlySpan<char> inHeader = presented.Count == 1 ? presented[0].AsSpan().Trim() : default;
        ReadOnlySpan<char> inBearer = default;
        if (authorization.Count == 1 && authorization[0].AsSpan().StartsWith(BearerPrefix, StringComparison.OrdinalIgnoreCase))
        {
            inBearer = authorization[0].AsSpan(BearerPrefix.Length).Trim();
            request.KeyInAuthorization = true;
        }

        if (!inHeader.IsEmpty && !inBearer.IsEmpty && !inHeader.SequenceEqual(inBearer))
        {
            return Refusal.ConflictingKeys;
        }

        key = inHeader.IsEmpty ? inBearer : inHeader;
        return key.IsEmpty ? Refusal.MissingKey : Refusal.None;
    }
}
