using System.Numerics;

namespace OpenPlatform.Gateway.Observability;

/// <summary>
/// A bounded queue of values for many writers and one reader, after D. Vyukov's: writers take no lock, allocate nothing and never wait; what
/// does not fit is refused.
/// </summary>
internal sealed class RecordQueue<T>(int capacity)
    where T : struct
{
    private readonly Cell[] _cells = Create(capacity);
    private long _head;
    private long _tail;

    private struct Cell
    {
        public long Turn;
        public T Value;
    }

    public bool TryAdd(in T value)
    {
        while (true)
        {
            var head = Volatile.Read(ref _head);
            ref var cell = ref _cells[head & (_cells.Length - 1)];
            var ahead = Volatile.Read(ref cell.Turn) - head;
            if (ahead < 0)
            {
                return false; // the reader is a whole round behind
            }

            if (ahead == 0 && Interlocked.CompareExchange(ref _head, head + 1, head) == head)
            {
                cell.Value = value;
                Volatile.Write(ref cell.Turn, head + 1);
                return true;
            }
        }
    }

    /// <summary>For the one reader.</summary>
    public bool TryTake(out T value)
    {
        ref var cell = ref _cells[_tail & (_cells.Length - 1)];
        if (Volatile.Read(ref cell.Turn) != _tail + 1)
        {
            value = default;
            return false;
        }

        value = cell.Value;
        cell.Value = default; // holds nothing alive
        Volatile.Write(ref cell.Turn, _tail + _cells.Length);
        _tail++;
        return true;
    }

    private static Cell[] Create(int capacity)
    {
        var cells = new Cell[BitOperations.RoundUpToPowerOf2((uint)capacity)];
        for (var i = 0; i < cells.Length; i++)
        {
            cells[i].Turn = i;
        }

        return cells;
    }
}
