using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Contracts.Snapshots.Shards;

/// <summary>What one revision consists of.</summary>
/// <param name="CreatedAt">When the catalog wrote it, UTC, whole microseconds.</param>
/// <param name="Shards">Name → SHA-256 of the content, lower-case hexadecimal.</param>
public sealed record ConfigManifest(long Revision, DateTimeOffset CreatedAt, IReadOnlyDictionary<string, string> Shards)
{
    /// <summary>
    /// What is signed: a line with the form's version, one with revision and microseconds since 1970, then one for each shard, by name in ordinal
    /// order. Neither name nor hash can hold a space or a line end.
    /// </summary>
    public byte[] ToBytes()
    {
        var text = new StringBuilder("openplatform-manifest-1\n", 64 + (Shards.Count * 96));
        text.Append(CultureInfo.InvariantCulture, $"{Revision} {(CreatedAt - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond}\n");
        foreach (var (name, hash) in Shards.OrderBy(static shard => shard.Key, StringComparer.Ordinal))
        {
            text.Append(name).Append(' ').Append(hash).Append('\n');
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }
}

/// <summary>
/// Signs manifests with HMAC-SHA-256 under a key derived from the service token (HKDF, RFC 5869): a gateway takes configuration, from the wire
/// or from its disk, only from somebody who holds the token of the deployment. Why not a key pair: docs/adr/0008-configuration-in-signed-shards.md.
/// </summary>
public sealed class ManifestSigner
{
    private static readonly byte[] Info = "openplatform manifest 1"u8.ToArray();

    private readonly byte[] _key;

    public ManifestSigner(string serviceToken) =>
        _key = HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(serviceToken), HMACSHA256.HashSizeInBytes, info: Info);

    /// <summary>32 bytes.</summary>
    public byte[] Sign(ConfigManifest manifest) => HMACSHA256.HashData(_key, manifest.ToBytes());

    public bool Verify(ConfigManifest manifest, ReadOnlySpan<byte> signature) => CryptographicOperations.FixedTimeEquals(Sign(manifest), signature);
}
