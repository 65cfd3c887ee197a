using System.Runtime.InteropServices;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>The 32 bytes of <see cref="KeyHash"/> as a dictionary key.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct KeyDigest : IEquatable<KeyDigest>
{
    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    public static KeyDigest Read(ReadOnlySpan<byte> hash) => MemoryMarshal.Read<KeyDigest>(hash);

    /// <summary>Without a branch on the content. What is compared is an HMAC under a secret pepper anyway: nobody outside can steer it.</summary>
    public bool Equals(KeyDigest other) => ((_a ^ other._a) | (_b ^ other._b) | (_c ^ other._c) | (_d ^ other._d)) == 0;

    public override bool Equals(object? obj) => obj is KeyDigest other && Equals(other);

    /// <summary>The bytes are uniformly distributed already. Not the first ones: they are the same in a segment.</summary>
    public override int GetHashCode() => (int)_b;

    /// <summary>The first byte: which segment it is in, see <see cref="OpenPlatform.Contracts.Snapshots.Shards.ShardName"/>.</summary>
    public int Segment => (int)(BitConverter.IsLittleEndian ? _a & 0xff : _a >> 56);
}
