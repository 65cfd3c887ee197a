using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Contracts.Snapshots.Shards;

/// <summary>What one revision consists of.</summary>
/// <param name="CreatedAt">When the catalog wrote it, UTC, whole microseconds.</param>
public sealed record ConfigManifest(long Revision, DateTimeOffset CreatedAt, ShardHashes Shards)
{
    /// <summary>SHA-256 of what is signed.</summary>
    public byte[] Sha256()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AppendTo(hash);
        return hash.GetHashAndReset();
    }

    /// <summary>
    /// What is signed: a line with the form's version, one with revision and microseconds since 1970, then one for each shard, by name in ordinal
    /// order. Neither name nor hash can hold a space or a line end. In pieces, because as one it would be a large object for every revision.
    /// </summary>
    /// <param name="between">Called after each piece.</param>
    internal void AppendTo(IncrementalHash hash, Action? between = null)
    {
        Span<byte> piece = stackalloc byte[4096];
        var used = Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"openplatform-manifest-1\n{Revision} {(CreatedAt - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond}\n"), piece);
        foreach (var (name, content) in Shards)
        {
            Append(hash, piece, ref used, name, (byte)' ', between);
            Append(hash, piece, ref used, content, (byte)'\n', between);
        }

        hash.AppendData(piece[..used]);
    }

    private static void Append(IncrementalHash hash, Span<byte> piece, ref int used, string text, byte end, Action? between)
    {
        if (Encoding.UTF8.GetMaxByteCount(text.Length) >= piece.Length - used)
        {
            hash.AppendData(piece[..used]);
            used = 0;
            between?.Invoke();
        }

        if (Encoding.UTF8.GetMaxByteCount(text.Length) >= piece.Length)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(text));
        }
        else
        {
            used += Encoding.UTF8.GetBytes(text, piece[used..]);
        }

        piece[used++] = end;
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
    /// <param name="between">Called every few microseconds: a thread that gives way does so there.</param>
    public byte[] Sign(ConfigManifest manifest, Action? between = null)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
        manifest.AppendTo(hash, between);
        return hash.GetHashAndReset();
    }

    /// <param name="between">As with <see cref="Sign"/>.</param>
    public bool Verify(ConfigManifest manifest, ReadOnlySpan<byte> signature, Action? between = null) => CryptographicOperations.FixedTimeEquals(Sign(manifest, between), signature);
}
