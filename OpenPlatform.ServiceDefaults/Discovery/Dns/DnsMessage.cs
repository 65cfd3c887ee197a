using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace OpenPlatform.ServiceDefaults.Discovery.Dns;

internal enum DnsType : ushort
{
    A = 1,
    Aaaa = 28,
    Srv = 33,
}

/// <summary>One SRV answer with the addresses that the server sent along.</summary>
/// <param name="Priority">The lowest is asked first.</param>
/// <param name="Weight">0 to 65,535, relative to others of the same priority (RFC 2782).</param>
public sealed record DnsService(int Priority, int Weight, int Port, string Target, IReadOnlyList<IPAddress> Addresses);

/// <summary>What a name server says of a name; empty when there is no such name.</summary>
/// <param name="TimeToLive">Shortest of the records.</param>
public sealed record DnsServices(IReadOnlyList<DnsService> Services, TimeSpan TimeToLive);

/// <summary>The message is not a well-formed answer to what was asked, or the server reports a failure.</summary>
public sealed class DnsException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// As much of RFC 1035 and RFC 2782 as an SRV query needs. What arrives is hostile until proven otherwise: every read is bounded by the
/// message, names by 255 bytes, and compression pointers only lead backwards (so they end).
/// </summary>
internal static class DnsMessage
{
    private const int HeaderBytes = 12;
    private const int MaxNameBytes = 255;
    private const int MaxLabelBytes = 63;
    private const ushort ClassInternet = 1;

    public static byte[] Query(ushort id, string name, DnsType type)
    {
        var message = new List<byte>(64) { (byte)(id >> 8), (byte)id, 0x01 /* recursion desired */, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
        foreach (var label in name.TrimEnd('.').Split('.'))
        {
            var bytes = Encoding.ASCII.GetBytes(label);
            if (bytes.Length is < 1 or > MaxLabelBytes || label.Any(c => c is < '!' or > '~'))
            {
                throw new ArgumentException($"'{name}' is not a DNS name.", nameof(name));
            }

            message.Add((byte)bytes.Length);
            message.AddRange(bytes);
        }

        message.AddRange([0, 0, (byte)type, 0, (byte)ClassInternet]);
        return message.Count <= HeaderBytes + MaxNameBytes + 4
            ? [.. message]
            : throw new ArgumentException($"'{name}' is longer than a DNS name may be.", nameof(name));
    }

    /// <summary>Whether the answer was cut off and is to be asked for again over TCP.</summary>
    public static bool IsTruncated(ReadOnlySpan<byte> message) => message.Length >= HeaderBytes && (message[2] & 0x02) != 0;

    /// <summary>Whether these bytes answer that query at all; anything may arrive on a UDP port.</summary>
    public static bool Answers(ReadOnlySpan<byte> message, ReadOnlySpan<byte> query) =>
        message.Length >= query.Length && message[..2].SequenceEqual(query[..2]) && (message[2] & 0x80) != 0
        && message[4..6].SequenceEqual(query[4..6])
        && Ascii.EqualsIgnoreCase(message[HeaderBytes..query.Length], query[HeaderBytes..]);

    /// <exception cref="DnsException">Malformed, or the server reports a failure other than "no such name" (which is an empty answer).</exception>
    public static DnsServices ReadServices(ReadOnlySpan<byte> message)
    {
        if (message.Length < HeaderBytes)
        {
            throw new DnsException("A DNS message is shorter than its header.");
        }

        switch (message[3] & 0x0f)
        {
            case 0: break;
            case 3: return new DnsServices([], TimeSpan.Zero); // no such name
            case var code: throw new DnsException($"The DNS server answers with code {code}.");
        }

        var (questions, answers, authorities, additional) = (U16(message, 4), U16(message, 6), U16(message, 8), U16(message, 10));
        var position = HeaderBytes;
        for (var i = 0; i < questions; i++)
        {
            _ = Name(message, ref position);
            position += 4;
        }

        var services = new List<(DnsService Service, uint Ttl)>();
        var addresses = new List<(string Name, IPAddress Address, uint Ttl)>();
        for (var i = 0; i < answers + authorities + additional; i++)
        {
            var owner = Name(message, ref position);
            Require(message, position, 10);
            var (type, @class, ttl, length) = (
                (DnsType)U16(message, position), U16(message, position + 2),
                BinaryPrimitives.ReadUInt32BigEndian(message[(position + 4)..]), U16(message, position + 8));
            position += 10;
            Require(message, position, length);
            var next = position + length;
            if (@class == ClassInternet)
            {
                switch (type)
                {
                    case DnsType.Srv when i < answers:
                        Require(message, position, 7);
                        var target = position + 6;
                        services.Add((new DnsService(U16(message, position), U16(message, position + 2), U16(message, position + 4), Name(message, ref target), []), ttl));
                        break;
                    case DnsType.A when length == 4:
                    case DnsType.Aaaa when length == 16:
                        addresses.Add((owner, new IPAddress(message.Slice(position, length)), ttl));
                        break;
                }
            }

            position = next;
        }

        // RFC 2782: the target "." says that there is no such service.
        var found = services.Where(s => s.Service.Target.Length > 0).Select(s => s.Service with
        {
            Addresses = [.. addresses.Where(a => a.Name.Equals(s.Service.Target, StringComparison.OrdinalIgnoreCase)).Select(a => a.Address)],
        }).ToArray();
        var shortest = services.Select(s => s.Ttl).Concat(addresses.Select(a => a.Ttl)).DefaultIfEmpty(0u).Min();
        return new DnsServices(found, TimeSpan.FromSeconds(shortest));
    }

    /// <summary>Reads a name, following compression pointers, and leaves <paramref name="position"/> behind it. Without a dot at the end.</summary>
    private static string Name(ReadOnlySpan<byte> message, ref int position)
    {
        var name = new StringBuilder();
        var read = position;
        var jumped = false;
        while (true)
        {
            Require(message, read, 1);
            int length = message[read];
            if (length == 0)
            {
                if (!jumped)
                {
                    position = read + 1;
                }

                return name.ToString();
            }

            if ((length & 0xc0) == 0xc0)
            {
                Require(message, read, 2);
                var target = ((length & 0x3f) << 8) | message[read + 1];
                if (target >= read)
                {
                    throw new DnsException("A DNS name points forwards.");
                }

                if (!jumped)
                {
                    position = read + 2;
                    jumped = true;
                }

                read = target;
                continue;
            }

            if (length > MaxLabelBytes || name.Length + length + 1 > MaxNameBytes)
            {
                throw new DnsException("A DNS name is too long.");
            }

            Require(message, read + 1, length);
            if (name.Length > 0)
            {
                name.Append('.');
            }

            foreach (var c in message.Slice(read + 1, length))
            {
                // A dot inside a label or a control character has no business in a host name.
                name.Append(c is > 0x20 and < 0x7f and not (byte)'.' ? (char)c : throw new DnsException("A DNS name holds an impossible character."));
            }

            read += 1 + length;
        }
    }

    private static ushort U16(ReadOnlySpan<byte> message, int at) => BinaryPrimitives.ReadUInt16BigEndian(message[at..]);

    private static void Require(ReadOnlySpan<byte> message, int at, int count)
    {
        if (at + count > message.Length)
        {
            throw new DnsException("A DNS message ends too early.");
        }
    }
}
