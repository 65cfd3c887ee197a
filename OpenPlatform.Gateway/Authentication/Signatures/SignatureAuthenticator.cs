using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>
/// HTTP message signatures (RFC 9421). A signature that covers little proves little: one that counts here covers the method, the
/// target and, by its digest, the body, says when it was made and with which key.
/// </summary>
internal sealed class SignatureAuthenticator(IOptions<AuthenticationOptions> options, CredentialUses uses, TimeProvider time)
{
    public const string InputHeader = "Signature-Input";
    public const string SignatureHeader = "Signature";

    /// <summary>Signatures looked at in one request; others may be meant for somebody behind us.</summary>
    private const int MaxSignatures = 4;
    private const int LongestNonce = 128;

    private readonly TimeSpan _window = options.Value.SignatureWindow;

    /// <summary>Fills in the application and what was signed, or says why not.</summary>
    public Refusal Authenticate(HttpContext context, GatewayRequest request, IdentityIndex identity)
    {
        var inputs = StructuredField.ParseDictionary(context.Request.Headers[InputHeader].ToString());
        var signatures = StructuredField.ParseDictionary(context.Request.Headers[SignatureHeader].ToString());
        if (inputs is null || signatures is null || inputs.Count is 0 or > MaxSignatures)
        {
            return Refusal.MalformedSignature;
        }

        foreach (var (label, input) in inputs)
        {
            if (input.Value is not List<SfItem> components || input["keyid"] is not string keyId)
            {
                return Refusal.MalformedSignature;
            }

            if (identity.FindSigningKey(keyId) is { } key)
            {
                return signatures.FirstOrDefault(s => s.Key == label).Value?.Value is byte[] signature
                    ? Verify(context, request, keyId, key, input, components, signature)
                    : Refusal.MalformedSignature;
            }
        }

        return Refusal.UnknownKey;
    }

    private Refusal Verify(
        HttpContext context, GatewayRequest request, string keyId, SigningKeyEntry key, SfItem input, List<SfItem> components, byte[] signature)
    {
        // The cheap questions first; RSA and ECDSA come last.
        if (input["alg"] is { } algorithm && (algorithm as string) != key.Algorithm)
        {
            return Refusal.WrongSignature;
        }

        if (input["created"] is not long created || input["nonce"] is not (null or string { Length: > 0 and <= LongestNonce }) || input["expires"] is not (null or long))
        {
            return Refusal.IncompleteSignature;
        }

        var now = time.GetUtcNow();
        if (now.UtcTicks >= key.ExpiresAtTicks)
        {
            return Refusal.ExpiredKey;
        }

        var seconds = now.ToUnixTimeSeconds();
        if (Math.Abs(created - seconds) > _window.TotalSeconds || (input["expires"] is long expires && expires <= seconds))
        {
            return Refusal.UntimelySignature;
        }

        var message = new RequestComponents(context, request.Origin);
        var hasBody = SignedRequest.HasBody(context);
        if (!CoversEnough(components, message, hasBody))
        {
            return Refusal.IncompleteSignature;
        }

        if (SignatureBase.Build(input, message) is not { } signed || !key.Verify(signed, signature))
        {
            return Refusal.WrongSignature;
        }

        ContentDigest? digest = null;
        if (hasBody && (digest = ContentDigest.Parse(context.Request.Headers[ContentDigest.Header])) is null)
        {
            return Refusal.IncompleteSignature;
        }

        if (!request.TryIdentify(key.ApplicationId))
        {
            return Refusal.UnknownKey;
        }

        uses.Note(key);

        request.Signed = new(
            input["nonce"] is string nonce ? SignedRequest.NonceOf(keyId, nonce) : null,
            DateTimeOffset.FromUnixTimeSeconds(created).UtcTicks + _window.Ticks, digest);
        return Refusal.None;
    }

    private static bool CoversEnough(List<SfItem> components, IMessageComponents message, bool hasBody)
    {
        // Whole: "key" would cover one member of it.
        bool Covers(string name) => components.Any(c => c is { Value: string covered, Parameters: [] or [{ Key: "sf" or "bs" }] } && covered == name);

        return Covers("@method")
            && (Covers("@target-uri") || Covers("@request-target") || (Covers("@path") && (Covers("@query") || message.Derived("@query") == "?")))
            && (!hasBody || Covers("content-digest"));
    }
}
