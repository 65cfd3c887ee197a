using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Contracts.Declarative;

/// <summary>Credentials as people have them, turned into what a snapshot keeps of them; the clear text goes no further.</summary>
internal sealed class DeclaredSecrets(DeclarativeContext context, Action<string, string> problem)
{
    /// <summary><c>key</c> → hash, <c>secret</c> → envelope, <c>publicKey</c> (PEM) → DER, <c>thumbprint</c> in hexadecimal → bytes.</summary>
    public void Replace(JsonObject credential, Guid id, string at)
    {
        Replace(credential, "key", "hash", at, Hash);
        Replace(credential, "secret", "key", at, secret => context.Envelope.Seal(id, Encoding.UTF8.GetBytes(secret)));
        Replace(credential, "publicKey", "key", at, static pem => Der(pem));
        if (DeclaredName.Text(credential, "thumbprint") is { Length: > 44 })
        {
            Replace(credential, "thumbprint", "thumbprint", at, static hex => Convert.FromHexString(hex.Replace(":", "", StringComparison.Ordinal)));
        }
    }

    private void Replace(JsonObject credential, string member, string into, string at, Func<string, byte[]> change)
    {
        if (DeclaredName.Text(credential, member) is not { } text)
        {
            return;
        }

        credential.Remove(member);
        try
        {
            credential[into] = Convert.ToBase64String(change(text));
        }
        catch (Exception e) when (e is ArgumentException or FormatException or CryptographicException)
        {
            problem($"{at}/{member}", member switch
            {
                "key" => $"must be 1 to {KeyHash.MaxKeyBytes} bytes",
                "secret" => "must be 1 to 1024 bytes",
                "publicKey" => "must be a public key in PEM (BEGIN PUBLIC KEY)",
                _ => "must be the SHA-256 of the certificate: 64 hexadecimal digits, colons allowed",
            });
        }
    }

    private byte[] Hash(string key)
    {
        var hash = new byte[KeyHash.Size];
        return KeyHash.TryCompute(context.Pepper.Span, key, hash) ? hash : throw new FormatException();
    }

    private static byte[] Der(string pem)
    {
        var fields = PemEncoding.Find(pem);
        return pem.AsSpan(fields.Label.Start.Value, fields.Label.End.Value - fields.Label.Start.Value) is "PUBLIC KEY"
            ? Convert.FromBase64String(pem[fields.Base64Data])
            : throw new FormatException();
    }
}
