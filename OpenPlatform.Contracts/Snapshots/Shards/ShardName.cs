namespace OpenPlatform.Contracts.Snapshots.Shards;

/// <summary>
/// The names of shards, and which shard something belongs to. The triggers of the catalog's database say the same in SQL
/// (<c>note_shard</c>, <c>segment_of</c>).
/// </summary>
public static class ShardName
{
    /// <summary>Issuers. Always there. A catalog of before puts all backends and plans in it.</summary>
    public const string Core = "core";

    /// <summary>How many segments there are of <c>backends/</c>, <c>plans/</c>, <c>applications/</c> and <c>credentials/</c>.</summary>
    public const int Segments = 256;

    private const string ApiPrefix = "api/";
    private const string BackendsPrefix = "backends/";
    private const string PlansPrefix = "plans/";
    private const string ApplicationsPrefix = "applications/";
    private const string CredentialsPrefix = "credentials/";

    private static readonly (string Prefix, ShardKind Kind)[] Segmented =
    [
        (BackendsPrefix, ShardKind.Backends), (PlansPrefix, ShardKind.Plans), (ApplicationsPrefix, ShardKind.Applications), (CredentialsPrefix, ShardKind.Credentials),
    ];

    /// <summary>One version of one API, for example <c>api/0199f6f0-…</c>.</summary>
    public static string Api(Guid versionId) => ApiPrefix + versionId.ToString("D");

    /// <summary>Backends, for example <c>backends/7f</c>.</summary>
    public static string Backends(int segment) => $"{BackendsPrefix}{segment:x2}";

    /// <summary>Plans, for example <c>plans/7f</c>.</summary>
    public static string Plans(int segment) => $"{PlansPrefix}{segment:x2}";

    /// <summary>Applications with what they are subscribed to, for example <c>applications/7f</c>.</summary>
    public static string Applications(int segment) => $"{ApplicationsPrefix}{segment:x2}";

    /// <summary>What requests are known by, for example <c>credentials/7f</c>.</summary>
    public static string Credentials(int segment) => $"{CredentialsPrefix}{segment:x2}";

    /// <summary>By the last byte of the id: the bytes before it are the time (UUID version 7, RFC 9562, 5.7).</summary>
    public static int SegmentOf(Guid id) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<Guid>(in id))[15];

    /// <summary>By the first byte of a key's hash or a certificate's thumbprint: what a request presents says the segment itself.</summary>
    public static int SegmentOf(ReadOnlySpan<byte> digest) => digest.IsEmpty ? 0 : digest[0];

    /// <summary>By the last two characters of a signing key's id, which is ASCII.</summary>
    public static int SegmentOf(ReadOnlySpan<char> keyId) => keyId.IsEmpty ? 0 : ((keyId[Math.Max(0, keyId.Length - 2)] * 16) + keyId[^1]) & 0xff;

    /// <summary>What the name stands for; false when it is none.</summary>
    public static bool TryParse(string name, out ShardKind kind, out Guid versionId, out int segment)
    {
        (kind, versionId, segment) = (ShardKind.Core, default, 0);
        if (name == Core)
        {
            return true;
        }

        if (name.StartsWith(ApiPrefix, StringComparison.Ordinal))
        {
            kind = ShardKind.Api;
            return Guid.TryParseExact(name.AsSpan(ApiPrefix.Length), "D", out versionId) && Api(versionId) == name;
        }

        foreach (var (prefix, of) in Segmented)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
            {
                kind = of;
                return int.TryParse(name.AsSpan(prefix.Length), System.Globalization.NumberStyles.AllowHexSpecifier, null, out segment)
                    && segment is >= 0 and < Segments && name == $"{prefix}{segment:x2}";
            }
        }

        return false;
    }
}

/// <summary>Kinds of shards, in the order in which they name each other: what an API names is in those before it.</summary>
public enum ShardKind
{
    Core,
    Backends,
    Plans,
    Api,
    Applications,
    Credentials,
}
