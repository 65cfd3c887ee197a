using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO.MemoryMappedFiles;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Usage;

/// <summary>
/// A file of counter cells, mapped into memory: what is counted is in the kernel's page cache at once and survives the death of
/// this process without a system call. One segment is one batch: it is counted into, sealed, posted and deleted. The file is
/// locked as long as its owner lives.
/// </summary>
/// <remarks>
/// Little-endian. Header of 256 bytes: magic (8, written last), epoch (16), sequence (8), length and UTF-8 of the gateway's id.
/// Then records, each a multiple of 8 bytes: length (4, written last; 0 = no more), checksum of what is behind the counter (4),
/// the counter (8), minute since 1970 (8), subscription, application and version (16 each), status (4), length and UTF-8 of the
/// operation's id.
/// </remarks>
internal sealed unsafe class UsageSegment : IDisposable
{
    /// <summary>At most 8,900 cells, below the 10,000 items that the catalog takes in one batch.</summary>
    public const int Size = 768 << 10;
    public const int HeaderSize = 256;
    public const int MaxGatewayBytes = 128;
    public const int RecordHeaderSize = 16;
    public const int RecordKeySize = 64;

    /// <summary>"OPUSAGE1"</summary>
    public const long Magic = 0x31_45_47_41_53_55_50_4F;

    private const int Sealed = int.MinValue;

    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _memory;
    private readonly ConcurrentDictionary<CellKey, int> _cells = new();
    private readonly Lock _append = new();
    private int _end = HeaderSize;
    private int _writers;

    private UsageSegment(string? path, MemoryMappedFile map, Guid epoch, long sequence, string gateway)
    {
        Path = path;
        _map = map;
        _view = map.CreateViewAccessor(0, Size);
        byte* memory = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref memory);
        _memory = memory + _view.PointerOffset;

        var header = new Span<byte>(_memory, HeaderSize);
        epoch.TryWriteBytes(header[8..]);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], sequence);
        var length = Encoding.UTF8.GetBytes(gateway, header.Slice(36, MaxGatewayBytes));
        BinaryPrimitives.WriteInt32LittleEndian(header[32..], length);
        Volatile.Write(ref *(long*)_memory, Magic);
    }

    /// <summary>Null: in memory only, because the disk could not be used.</summary>
    public string? Path { get; }

    public bool HasCounts => Volatile.Read(ref _end) > HeaderSize;

    /// <exception cref="IOException">The disk is full, or the file could not be locked.</exception>
    public static UsageSegment Create(string path, Guid epoch, long sequence, string gateway)
    {
        // Space is reserved now: a page that finds no room on the disk later would kill the process.
        var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            PreallocationSize = Size,
        });
        try
        {
            file.SetLength(Size);
            return new(path, MemoryMappedFile.CreateFromFile(file, null, Size, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: false), epoch, sequence, gateway);
        }
        catch
        {
            file.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>A segment without a file.</summary>
    public static UsageSegment CreateInMemory(Guid epoch, long sequence, string gateway) =>
        new(null, MemoryMappedFile.CreateNew(null, Size), epoch, sequence, gateway);

    /// <summary>False once sealed. Each true needs one <see cref="Exit"/>.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _writers) > 0)
        {
            return true;
        }

        Interlocked.Decrement(ref _writers);
        return false;
    }

    public void Exit() => Interlocked.Decrement(ref _writers);

    /// <summary>Ends counting and waits for those who are just doing it: nanoseconds.</summary>
    public void Seal()
    {
        Interlocked.Or(ref _writers, Sealed);
        var spin = default(SpinWait);
        while (Volatile.Read(ref _writers) != Sealed)
        {
            spin.SpinOnce();
        }
    }

    /// <summary>Counts one answer; false when the segment is full. Only between <see cref="TryEnter"/> and <see cref="Exit"/>.
    /// Allocates only for a cell's first answer.</summary>
    public bool TryCount(SubscriptionEntry subscription, OperationEntry operation, int status, long minute)
    {
        var key = new CellKey(subscription, operation, status, minute);
        if (_cells.TryGetValue(key, out var cell))
        {
            Interlocked.Increment(ref *(long*)(_memory + cell + 8));
            return true;
        }

        lock (_append)
        {
            if (_cells.TryGetValue(key, out cell))
            {
                Interlocked.Increment(ref *(long*)(_memory + cell + 8));
                return true;
            }

            var operationBytes = Encoding.UTF8.GetByteCount(operation.OperationId);
            var length = (RecordHeaderSize + RecordKeySize + operationBytes + 7) & ~7;
            if (_end + length + 8 > Size)
            {
                return false;
            }

            var record = new Span<byte>(_memory + _end, length);
            BinaryPrimitives.WriteInt64LittleEndian(record[16..], minute);
            subscription.SubscriptionId.TryWriteBytes(record[24..]);
            subscription.ApplicationId.TryWriteBytes(record[40..]);
            operation.Api.VersionId.TryWriteBytes(record[56..]);
            BinaryPrimitives.WriteInt32LittleEndian(record[72..], status);
            BinaryPrimitives.WriteInt32LittleEndian(record[76..], operationBytes);
            Encoding.UTF8.GetBytes(operation.OperationId, record[80..]);
            BinaryPrimitives.WriteUInt32LittleEndian(record[4..], Checksum(record[RecordHeaderSize..]));
            BinaryPrimitives.WriteInt64LittleEndian(record[8..], 1);
            Volatile.Write(ref *(int*)(_memory + _end), length);

            _cells[key] = _end;
            Volatile.Write(ref _end, _end + length);
            return true;
        }
    }

    /// <summary>A copy of the bytes in use. Only after <see cref="Seal"/>.</summary>
    public byte[] Read() => new ReadOnlySpan<byte>(_memory, Math.Min(_end + 8, Size)).ToArray();

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }

    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        return ~crc;
    }

    /// <summary>By identity: two snapshots' entries of the same subscription are two cells, which are added up when read.</summary>
    private readonly struct CellKey(SubscriptionEntry subscription, OperationEntry operation, int status, long minute) : IEquatable<CellKey>
    {
        private readonly SubscriptionEntry _subscription = subscription;
        private readonly OperationEntry _operation = operation;
        private readonly int _status = status;
        private readonly long _minute = minute;

        public bool Equals(CellKey other) => ReferenceEquals(_subscription, other._subscription) && ReferenceEquals(_operation, other._operation)
            && _status == other._status && _minute == other._minute;

        public override bool Equals(object? obj) => obj is CellKey other && Equals(other);

        public override int GetHashCode() =>
            HashCode.Combine(RuntimeHelpers.GetHashCode(_subscription), RuntimeHelpers.GetHashCode(_operation), _status, _minute);
    }
}
