using Dapper;
using Npgsql;

namespace OpenPlatform.Catalog.Storage;

/// <summary>
/// Reads of one kind of row by key. Those that are asked for while another is under way go together in the next statement, so that under load Postgres and the driver
/// are asked once for many; alone, a read goes at once. Each is answered by a statement that began after it was asked for: nobody reads what was before his own write.
/// While one statement is under way or its reads are being answered, another one goes as soon as enough wait for it, so that Postgres and this process work at the same time.
/// </summary>
/// <param name="statement">Gives the rows whose key is in the array <c>@keys</c>; what is not there is missing, in any order.</param>
/// <param name="isOf">Whether a row is the one of a key.</param>
internal sealed class KeyedReads<TKey, TRow>(NpgsqlDataSource database, string statement, Func<TRow, TKey, bool> isOf)
    where TRow : class
{
    /// <summary>Most keys of one statement.</summary>
    private const int MostTogether = 64;

    /// <summary>Most requests that go on, one after the other, on the thread that brings their rows: waking another thread costs as much as finishing one of them.</summary>
    private const int MostInline = 16;

    /// <summary>How many have to wait before a second statement goes beside one that is under way. Fewer would pay a statement for too little, more would leave a processor idle.</summary>
    private const int EnoughForSecond = 8;

    private readonly Lock _lock = new();
    private readonly Queue<Asked> _waiting = new();
    private int _underWay;

    /// <summary>The row, or null. Is not given up half way: others wait for the same statement, which ends with the command's timeout at the latest.</summary>
    public Task<TRow?> FindOrNullAsync(TKey key)
    {
        var asked = new Asked(key);
        lock (_lock)
        {
            _waiting.Enqueue(asked);
            if (!MayGo(besides: _underWay))
            {
                return asked.Task;
            }

            _underWay++;
        }

        // Not as a part of the request that happens to be first.
        ThreadPool.UnsafeQueueUserWorkItem(static reads => _ = reads.RunAsync(), this, preferLocal: true);
        return asked.Task;
    }

    private async Task RunAsync()
    {
        var together = new List<Asked>();
        while (Take(together))
        {
            try
            {
                var rows = await ReadAsync(together);
                for (var i = 0; i < together.Count; i++)
                {
                    var key = together[i].Key;
                    together[i].Answer(rows.Find(row => isOf(row, key)), isInline: i < MostInline);
                }
            }
            catch (Exception exception)
            {
                foreach (var asked in together)
                {
                    asked.TrySetException(exception);
                }
            }

            // Behind the requests that have arrived already: what they ask for goes along.
            await Task.Yield();
        }
    }

    private bool Take(List<Asked> together)
    {
        together.Clear();
        lock (_lock)
        {
            if (!MayGo(besides: _underWay - 1))
            {
                _underWay--; // who waits is taken by the other one when it is through
                return false;
            }

            while (together.Count < MostTogether && _waiting.TryDequeue(out var asked))
            {
                together.Add(asked);
            }

            return true;
        }
    }

    private bool MayGo(int besides) => besides switch
    {
        0 => _waiting.Count > 0,
        1 => _waiting.Count >= EnoughForSecond,
        _ => false,
    };

    /// <summary>In the trace of the request that waited longest: a statement has one parent.</summary>
    private Task<List<TRow>> ReadAsync(List<Asked> together)
    {
        TKey[] keys = [.. together.Select(static asked => asked.Key)];
        if (together[0].Context is not { } context)
        {
            return ReadAsync(keys);
        }

        Task<List<TRow>>? read = null;
        ExecutionContext.Run(context, _ => read = ReadAsync(keys), null);
        return read!;
    }

    private async Task<List<TRow>> ReadAsync(TKey[] keys)
    {
        await using var connection = await database.OpenConnectionAsync();
        return (await connection.QueryAsync<TRow>(new(statement, new { keys }))).AsList();
    }

    private sealed class Asked(TKey key) : TaskCompletionSource<TRow?>
    {
        public TKey Key => key;

        public ExecutionContext? Context { get; } = ExecutionContext.Capture();

        public void Answer(TRow? row, bool isInline)
        {
            if (isInline)
            {
                SetResult(row);
            }
            else
            {
                ThreadPool.UnsafeQueueUserWorkItem(static answer => answer.Asked.SetResult(answer.Row), (Asked: this, Row: row), preferLocal: true);
            }
        }
    }
}
