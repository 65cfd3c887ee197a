using System.Buffers.Binary;
using System.Text;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Gateway.Usage;

/// <summary>Turns the bytes of a <see cref="UsageSegment"/> into the batch they are: the same bytes give the same batch.</summary>
internal static class UsageSegmentReader
{
    /// <summary>Null when nothing was ever counted into it.</summary>
    /// <exception cref="InvalidDataException">The bytes are not a segment, or are damaged; the message says where.</exception>
    public static UsageBatch? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < UsageSegment.HeaderSize || BinaryPrimitives.ReadInt64LittleEndian(bytes) is var magic && magic == 0)
        {
            return null; // its owner died before it could count
        }

        if (magic != UsageSegment.Magic)
        {
            throw new InvalidDataException("It does not begin as a usage segment.");
        }

        var gatewayLength = BinaryPrimitives.ReadInt32LittleEndian(bytes[32..]);
        if (gatewayLength is < 1 or > UsageSegment.MaxGatewayBytes)
        {
            throw new InvalidDataException("The gateway's id has an impossible length.");
        }

        var items = new List<UsageUnits>();
        var index = new Dictionary<UsageUnits, int>();
        for (var at = UsageSegment.HeaderSize; at + 4 <= bytes.Length && BinaryPrimitives.ReadInt32LittleEndian(bytes[at..]) is var length && length != 0; at += length)
        {
            if (length < UsageSegment.RecordHeaderSize + UsageSegment.RecordKeySize || length % 8 != 0 || at + length > bytes.Length)
            {
                throw new InvalidDataException($"The record at byte {at} has an impossible length.");
            }

            var item = ReadRecord(bytes.Slice(at, length), at);
            var key = item with { Units = 0 };
            if (index.TryGetValue(key, out var seen))
            {
                items[seen] = items[seen] with { Units = items[seen].Units + item.Units };
            }
            else
            {
                index.Add(key, items.Count);
                items.Add(item);
            }
        }

        return items.Count == 0
            ? null
            : new(Encoding.UTF8.GetString(bytes.Slice(36, gatewayLength)), new(bytes.Slice(8, 16)), BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]), items);
    }

    private static UsageUnits ReadRecord(ReadOnlySpan<byte> record, int at)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(record[4..]) != UsageSegment.Checksum(record[UsageSegment.RecordHeaderSize..]))
        {
            throw new InvalidDataException($"The checksum of the record at byte {at} differs.");
        }

        var units = BinaryPrimitives.ReadInt64LittleEndian(record[8..]);
        var operationLength = BinaryPrimitives.ReadInt32LittleEndian(record[76..]);
        if (units < 1 || operationLength < 1 || operationLength > record.Length - 80)
        {
            throw new InvalidDataException($"The record at byte {at} holds an impossible count or length.");
        }

        return new(
            DateTimeOffset.UnixEpoch.AddMinutes(BinaryPrimitives.ReadInt64LittleEndian(record[16..])),
            new(record.Slice(24, 16)), new(record.Slice(40, 16)), new(record.Slice(56, 16)),
            Encoding.UTF8.GetString(record.Slice(80, operationLength)),
            BinaryPrimitives.ReadInt32LittleEndian(record[72..]),
            units);
    }
}
