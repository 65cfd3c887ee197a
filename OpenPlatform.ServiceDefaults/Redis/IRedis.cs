namespace OpenPlatform.ServiceDefaults.Redis;

/// <summary>
/// The little of Redis that this platform uses: commands, scripts, subscriptions, health. Every call ends by its deadline,
/// whatever the server does: an answer, a <see cref="RedisServerException"/> or a <see cref="RedisUnavailableException"/>.
/// </summary>
public interface IRedis
{
    /// <summary>True while the connection is up and answers in time. Cheap: one volatile read.</summary>
    bool IsAvailable { get; }

    /// <summary>Sends one command, for example <c>["SET", key, value, "PX", 5000]</c>. The arguments are copied before the call returns.</summary>
    /// <exception cref="RedisServerException">The server answered with an error.</exception>
    /// <exception cref="RedisUnavailableException">Not connected, window full, stalled or past the deadline. When the bytes were
    /// already on their way the command may have run.</exception>
    ValueTask<RedisReply> ExecuteAsync(ReadOnlySpan<RedisArgument> command, CancellationToken cancellationToken = default);

    /// <summary>Runs a script (EVALSHA, falling back to EVAL when the server does not know it).</summary>
    /// <inheritdoc cref="ExecuteAsync" path="/exception"/>
    ValueTask<RedisReply> EvaluateAsync(
        RedisScript script, ReadOnlySpan<RedisArgument> keys, ReadOnlySpan<RedisArgument> arguments, CancellationToken cancellationToken = default);

    /// <summary>Calls <paramref name="onMessage"/> for each message of <paramref name="channel"/> until disposed; subscribes again
    /// after each reconnect (messages published meanwhile are lost: a subscription is a hint, never a source of truth).</summary>
    IDisposable Subscribe(string channel, Action<string> onMessage);
}

/// <summary>A Lua script and its SHA-1, computed once. Must run on Redis (Lua 5.1) and on Garnet (Lua 5.4).</summary>
public sealed class RedisScript
{
    public RedisScript(string source)
    {
        Source = source;
#pragma warning disable CA5350 // The protocol names scripts by SHA-1; nothing here is protected by it.
        Sha1 = Convert.ToHexStringLower(System.Security.Cryptography.SHA1.HashData(System.Text.Encoding.UTF8.GetBytes(source)));
#pragma warning restore CA5350
    }

    public string Source { get; }

    public string Sha1 { get; }
}

/// <summary>The server answered, and the answer is an error such as <c>WRONGTYPE …</c>.</summary>
public sealed class RedisServerException(string message) : Exception(message);

/// <summary>No answer in time, or no connection: go on without Redis.</summary>
public sealed class RedisUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
