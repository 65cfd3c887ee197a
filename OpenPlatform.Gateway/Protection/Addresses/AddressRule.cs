using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Protection.Addresses;

/// <summary>Where callers may be: an allow list, a deny list, or both.</summary>
internal sealed class AddressRule
{
    private readonly AddressSet? _allow;
    private readonly AddressSet? _deny;

    private AddressRule(AddressPolicy policy)
    {
        _allow = policy.Allow is null ? null : new(policy.Allow);
        _deny = policy.Deny is null ? null : new(policy.Deny);
    }

    public static AddressRule? Compile(AddressPolicy? policy) => policy is null or { Allow: null, Deny: null } ? null : new(policy);

    /// <summary>Allocates nothing. An address that is not known is on no list: it passes where there is no allow list.</summary>
    public bool Admits(IPAddress address) => _deny?.Contains(address) != true && _allow?.Contains(address) != false;
}

/// <summary>Ranges of addresses, sorted and merged, IPv4 apart from IPv6: a look-up is one binary search.</summary>
internal sealed class AddressSet
{
    private readonly Ranges _ipv4;
    private readonly Ranges _ipv6;

    /// <param name="ranges">Checked when the snapshot was.</param>
    public AddressSet(IEnumerable<string> ranges)
    {
        var parsed = ranges.Select(static text => AddressRanges.TryParse(text, out var range) ? range : default).ToLookup(static range => range.BaseAddress.AddressFamily);
        _ipv4 = new(parsed[AddressFamily.InterNetwork].Select(static range => Bounds(range, 32)));
        _ipv6 = new(parsed[AddressFamily.InterNetworkV6].Select(static range => Bounds(range, 128)));
    }

    /// <param name="address">IPv4 not in its IPv6-mapped form.</param>
    public bool Contains(IPAddress address) =>
        (address.AddressFamily == AddressFamily.InterNetwork ? _ipv4 : _ipv6).Contains(NumberOf(address));

    private static UInt128 NumberOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        return length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private static (UInt128 First, UInt128 Last) Bounds(IPNetwork range, int bits)
    {
        var first = NumberOf(range.BaseAddress);
        var free = bits - range.PrefixLength;
        return (first, free == 128 ? UInt128.MaxValue : first | ((UInt128.One << free) - 1));
    }

    private sealed class Ranges
    {
        private readonly UInt128[] _first;
        private readonly UInt128[] _last;

        public Ranges(IEnumerable<(UInt128 First, UInt128 Last)> bounds)
        {
            List<UInt128> first = [], last = [];
            foreach (var (from, to) in bounds.Order())
            {
                if (last.Count > 0 && from <= last[^1])
                {
                    last[^1] = UInt128.Max(last[^1], to);
                }
                else
                {
                    first.Add(from);
                    last.Add(to);
                }
            }

            (_first, _last) = ([.. first], [.. last]);
        }

        public bool Contains(UInt128 address)
        {
            var index = Array.BinarySearch(_first, address);
            return index >= 0 || (~index > 0 && address <= _last[~index - 1]);
        }
    }
}
