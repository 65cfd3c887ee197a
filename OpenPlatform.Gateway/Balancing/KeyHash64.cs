using System.Runtime.InteropServices;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>A hash that is the same in every process: FNV-1a (Fowler, Noll, Vo), finished by SplitMix64's mixer because rendezvous hashing
/// needs every bit. Not for secrets.</summary>
internal static class KeyHash64
{
    private const ulong Offset = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    public static ulong Of(ReadOnlySpan<char> text) => Of(MemoryMarshal.AsBytes(text));

    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        var hash = Offset;
        foreach (var b in bytes)
        {
            hash = (hash ^ b) * Prime;
        }

        return Mix(hash);
    }

    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
