using StackExchange.Redis;

namespace OpenPlatform.ServiceDefaults.Redis;

/// <summary>
/// <see cref="IRedis"/> over StackExchange.Redis. Compiled only when UseAspirePackages is true, so never on a feed without that package
/// (docs/adr/0001-two-sources-of-aspire-libraries.md).
/// </summary>
internal sealed class StackExchangeRedis(IConnectionMultiplexer connection) : IRedis
{
    /// <summary>The library's asynchronous calls have no deadline of their own; this one ends the wait, not the command.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    public bool IsAvailable => connection.IsConnected;

    public ValueTask<RedisReply> ExecuteAsync(ReadOnlySpan<RedisArgument> command, CancellationToken cancellationToken = default)
    {
        if (command.IsEmpty || command[0].Text is not { } name)
        {
            throw new ArgumentException("A command starts with its name.", nameof(command));
        }

        cancellationToken.ThrowIfCancellationRequested();
        var arguments = new object[command.Length - 1];
        for (var i = 0; i < arguments.Length; i++)
        {
            arguments[i] = Value(command[i + 1]);
        }

        return RunAsync(name, () => connection.GetDatabase().ExecuteAsync(name, arguments), cancellationToken);
    }

    public ValueTask<RedisReply> EvaluateAsync(
        RedisScript script, ReadOnlySpan<RedisArgument> keys, ReadOnlySpan<RedisArgument> arguments, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var keyNames = new RedisKey[keys.Length];
        for (var i = 0; i < keyNames.Length; i++)
        {
            keyNames[i] = keys[i].Text is { } text ? text : (RedisKey)(byte[]?)Value(keys[i]);
        }

        var values = new RedisValue[arguments.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = Value(arguments[i]);
        }

        // The library itself sends EVALSHA where it knows that the server has the script.
        return RunAsync("EVALSHA", () => connection.GetDatabase().ScriptEvaluateAsync(script.Source, keyNames, values), cancellationToken);
    }

    public IDisposable Subscribe(string channel, Action<string> onMessage)
    {
        var name = RedisChannel.Literal(channel);
        void Handle(RedisChannel _, RedisValue message) => onMessage(message.ToString());

        // Fire and forget: the library keeps the subscription and asks again after each reconnect.
        connection.GetSubscriber().Subscribe(name, Handle, CommandFlags.FireAndForget);
        return new Subscription(() => connection.GetSubscriber().Unsubscribe(name, Handle, CommandFlags.FireAndForget));
    }

    private static async ValueTask<RedisReply> RunAsync(string name, Func<Task<RedisResult>> call, CancellationToken cancellationToken)
    {
        try
        {
            return Reply(await call().WaitAsync(Deadline, cancellationToken));
        }
        catch (global::StackExchange.Redis.RedisServerException e)
        {
            throw new RedisServerException(e.Message);
        }
        catch (Exception e) when (e is RedisConnectionException or TimeoutException or ObjectDisposedException)
        {
            throw new RedisUnavailableException($"Redis did not answer {name}.", e);
        }
    }

    private static RedisValue Value(in RedisArgument argument) =>
        argument.Text is { } text ? text : argument.IsNumber ? argument.Number : argument.Bytes;

    private static RedisReply Reply(RedisResult result) => result.IsNull ? RedisReply.Null : result.Resp2Type switch
    {
        ResultType.Integer => RedisReply.FromInteger((long)result),
        ResultType.Array => RedisReply.FromItems([.. ((RedisResult[])result!).Select(Reply)]),
        ResultType.SimpleString => RedisReply.FromBytes(RedisReplyKind.Simple, ((byte[]?)result)!),
        ResultType.Error => RedisReply.FromBytes(RedisReplyKind.Error, System.Text.Encoding.UTF8.GetBytes(result.ToString() ?? "")),
        _ => RedisReply.FromBytes(RedisReplyKind.Bulk, ((byte[]?)result)!),
    };

    private sealed class Subscription(Action end) : IDisposable
    {
        private Action? _end = end;

        public void Dispose() => Interlocked.Exchange(ref _end, null)?.Invoke();
    }
}
