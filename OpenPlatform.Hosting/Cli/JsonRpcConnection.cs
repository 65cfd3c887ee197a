using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;

namespace OpenPlatform.Hosting.Cli;

/// <summary>An error that the caller is told.</summary>
internal sealed class JsonRpcException(int code, string message) : Exception(message)
{
    internal const int ParseError = -32700, InvalidRequest = -32600, MethodNotFound = -32601, InvalidParams = -32602, InternalError = -32603, Busy = -32000, Cancelled = -32800;

    internal int Code => code;
}

/// <summary>Answers JSON-RPC 2.0 requests of one client. A result that is a sequence is handed out piece by piece, as StreamJsonRpc does it.</summary>
/// <param name="invoke">Method name → result: null, something JSON can show, or an <see cref="IAsyncEnumerable{T}"/> of objects.</param>
internal sealed class JsonRpcConnection(Stream stream, Func<string, CancellationToken, Task<object?>> invoke) : IAsyncDisposable
{
    private const int MaxRequests = 64, MaxSequences = 16, ItemsPerAnswer = 500;
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 32 };
    private static readonly JsonSerializerOptions Json = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly ConcurrentDictionary<string, CancellationTokenSource> _requests = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<int, Sequence> _sequences = new();
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly CancellationTokenSource _closed = new();
    private int _lastToken;

    /// <summary>Answers until the client closes the connection, sends something that is no frame, or the token is cancelled.</summary>
    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        var input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(cancellationToken);
                var buffer = read.Buffer;
                while (JsonRpcFrames.TryTake(ref buffer, out var content))
                {
                    await ReceiveAsync(content);
                }
                input.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (Exception error) when (error is FormatException or IOException or OperationCanceledException)
        {
            // Whoever speaks otherwise, or has gone, is not answered.
        }
        finally
        {
            await _closed.CancelAsync();
            await input.CompleteAsync();
        }
    }

    /// <summary>Ends all sequences: who waits for their next item hears that there is none.</summary>
    internal void EndSequences()
    {
        foreach (var sequence in _sequences.Values)
        {
            sequence.End();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        EndSequences();
        await stream.DisposeAsync();
    }

    private async Task ReceiveAsync(ReadOnlySequence<byte> content)
    {
        JsonDocument message;
        try
        {
            message = JsonDocument.Parse(content, Strict);
        }
        catch (JsonException)
        {
            await AnswerAsync(id: null, error: new JsonRpcException(JsonRpcException.ParseError, "This is no JSON."));
            return;
        }
        using (message)
        {
            var root = message.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("method", out var method) || method.ValueKind != JsonValueKind.String)
            {
                // An answer to something we never asked has no method either.
                await AnswerAsync(id: null, error: new JsonRpcException(JsonRpcException.InvalidRequest, "This is no request."));
                return;
            }
            JsonElement? id = root.TryGetProperty("id", out var given) && given.ValueKind is JsonValueKind.Number or JsonValueKind.String ? given.Clone() : null;
            JsonElement? parameters = root.TryGetProperty("params", out var list) ? list.Clone() : null;
            var name = method.GetString()!;
            if (name == "$/cancelRequest")
            {
                if (parameters is { ValueKind: JsonValueKind.Object } which && which.TryGetProperty("id", out var request) && _requests.TryGetValue(request.GetRawText(), out var pending))
                {
                    await pending.CancelAsync();
                }
                return;
            }
            var key = id?.GetRawText() ?? $"-{Interlocked.Increment(ref _lastToken)}";
            // Disposed where it is taken out again.
            var cancel = CancellationTokenSource.CreateLinkedTokenSource(_closed.Token);
            if (_requests.Count >= MaxRequests || !_requests.TryAdd(key, cancel))
            {
                cancel.Dispose();
                await AnswerAsync(id, error: new JsonRpcException(JsonRpcException.Busy, "Too many requests at once, or two with the same id."));
                return;
            }
            _ = Task.Run(() => HandleAsync(key, id, name, parameters, cancel));
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever a method throws is its answer.")]
    private async Task HandleAsync(string key, JsonElement? id, string method, JsonElement? parameters, CancellationTokenSource cancel)
    {
        try
        {
            object? result = method switch
            {
                "$/enumerator/next" => await NextAsync(parameters, cancel.Token),
                "$/enumerator/abort" => Abort(parameters),
                _ => await invoke(method, cancel.Token),
            };
            await AnswerAsync(id, result is IAsyncEnumerable<object> items ? Begin(items) : result);
        }
        catch (JsonRpcException error)
        {
            await AnswerAsync(id, error: error);
        }
        catch (OperationCanceledException)
        {
            await AnswerAsync(id, error: new JsonRpcException(JsonRpcException.Cancelled, "The request was cancelled."));
        }
        catch (Exception error)
        {
            await AnswerAsync(id, error: new JsonRpcException(JsonRpcException.InternalError, error.Message));
        }
        finally
        {
            _requests.TryRemove(key, out _);
            cancel.Dispose();
        }
    }

    private Handle Begin(IAsyncEnumerable<object> items)
    {
        if (_sequences.Count >= MaxSequences)
        {
            throw new JsonRpcException(JsonRpcException.Busy, "Too many open sequences.");
        }
        var token = Interlocked.Increment(ref _lastToken);
        _sequences[token] = new(items, _closed.Token);
        return new(token, []);
    }

    private async Task<Part> NextAsync(JsonElement? parameters, CancellationToken cancellationToken)
    {
        var part = await SequenceOf(parameters, out var token).NextAsync(cancellationToken);
        if (part.Finished)
        {
            _sequences.TryRemove(token, out _);
        }
        return part;
    }

    private object? Abort(JsonElement? parameters)
    {
        SequenceOf(parameters, out var token).End();
        _sequences.TryRemove(token, out _);
        return null;
    }

    private Sequence SequenceOf(JsonElement? parameters, out int token)
    {
        token = 0;
        return parameters is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() == 1 && list[0].ValueKind == JsonValueKind.Number && list[0].TryGetInt32(out token)
            && _sequences.TryGetValue(token, out var sequence)
                ? sequence
                : throw new JsonRpcException(JsonRpcException.InvalidParams, "There is no such sequence.");
    }

    private async Task AnswerAsync(JsonElement? id, object? result = null, JsonRpcException? error = null)
    {
        if (id is null && error is not { Code: JsonRpcException.ParseError or JsonRpcException.InvalidRequest })
        {
            return; // a notification
        }
        var content = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(content))
        {
            writer.WriteStartObject();
            writer.WriteString("jsonrpc", "2.0");
            writer.WritePropertyName("id");
            if (id is { } known)
            {
                known.WriteTo(writer);
            }
            else
            {
                writer.WriteNullValue();
            }
            writer.WritePropertyName(error is null ? "result" : "error");
            JsonSerializer.Serialize(writer, error is null ? result : new { code = error.Code, message = error.Message }, Json);
            writer.WriteEndObject();
        }
        await _writing.WaitAsync();
        try
        {
            await stream.WriteAsync(JsonRpcFrames.Frame(content.WrittenSpan));
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            // The client does not wait for it any more.
        }
        finally
        {
            _writing.Release();
        }
    }

    private sealed record Handle([property: JsonPropertyName("token")] int Token, [property: JsonPropertyName("values")] object[] Values);

    private sealed record Part([property: JsonPropertyName("values")] IReadOnlyList<object> Values, [property: JsonPropertyName("finished")] bool Finished);

    /// <summary>Reads ahead a little, so that an answer carries all there is.</summary>
    private sealed class Sequence
    {
        private readonly Channel<object> _ahead = Channel.CreateBounded<object>(ItemsPerAnswer);
        private readonly CancellationTokenSource _end;

        internal Sequence(IAsyncEnumerable<object> items, CancellationToken closed)
        {
            _end = CancellationTokenSource.CreateLinkedTokenSource(closed);
            _ = PumpAsync(items);
        }

        /// <summary>Waits for at least one item, or the end.</summary>
        internal async Task<Part> NextAsync(CancellationToken cancellationToken)
        {
            var values = new List<object>();
            if (await _ahead.Reader.WaitToReadAsync(cancellationToken))
            {
                while (values.Count < ItemsPerAnswer && _ahead.Reader.TryRead(out var item))
                {
                    values.Add(item);
                }
            }
            return new(values, _ahead.Reader.Completion.IsCompleted);
        }

        internal void End() => _end.Cancel();

        [SuppressMessage("Design", "CA1031", Justification = "Whatever a sequence fails of, the next answer says it.")]
        private async Task PumpAsync(IAsyncEnumerable<object> items)
        {
            try
            {
                await foreach (var item in items.WithCancellation(_end.Token))
                {
                    await _ahead.Writer.WriteAsync(item, _end.Token);
                }
                _ahead.Writer.TryComplete();
            }
            catch (OperationCanceledException)
            {
                _ahead.Writer.TryComplete();
            }
            catch (Exception error)
            {
                _ahead.Writer.TryComplete(error);
            }
        }
    }
}
