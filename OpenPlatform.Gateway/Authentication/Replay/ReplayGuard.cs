using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.State;
using OpenPlatform.ServiceDefaults.Redis;

namespace OpenPlatform.Gateway.Authentication.Replay;

/// <summary>
/// A signed request counts once. Every gateway remembers the nonces it has seen; where the plan asks for it, Redis is asked, too
/// (<c>SET key "" NX PX …</c>), so that a nonce is refused at every replica. Redis gone or slower than
/// <see cref="AuthenticationOptions.ReplayDeadline"/>: the memory of this gateway alone decides, so that a replay can pass once at
/// each further replica until Redis is back. Redis emptied: the same, for what was in it.
/// </summary>
internal sealed class ReplayGuard(OptionalRedis redis, IOptions<AuthenticationOptions> options, TimeProvider time, ILogger<ReplayGuard> logger)
{
    // A signature from the end of the window ahead counts until the end of the window behind.
    private readonly NonceMemory _memory = new(options.Value.RememberedNonces, 2 * options.Value.SignatureWindow, time);
    private readonly TimeSpan _deadline = options.Value.ReplayDeadline;
    private int _alone;

    /// <summary>True when nobody has used the nonce, as far as this gateway knows.</summary>
    public bool TryUse(UInt128 nonce) => _memory.TryAdd(nonce);

    /// <summary>True when somebody has used the nonce, as far as this gateway knows; it is not used up by asking.</summary>
    public bool IsUsed(UInt128 nonce) => _memory.Contains(nonce);

    /// <summary>True when no gateway that shares this Redis has used the nonce; true as well when Redis cannot say.</summary>
    public async ValueTask<bool> TryUseEverywhereAsync(SignedRequest signed, CancellationToken cancellationToken)
    {
        if (redis.Client is not { IsAvailable: true } client)
        {
            Alone("not connected");
            return true;
        }

        var keep = Math.Max(1, (signed.NonceUntil - time.GetUtcNow().UtcTicks) / TimeSpan.TicksPerMillisecond) + 1000; // a second for clocks that differ
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_deadline);
        try
        {
            var reply = await client.ExecuteAsync(["SET", $"openplatform:nonce:{signed.Nonce:x32}", "", "NX", "PX", keep], deadline.Token);
            if (Interlocked.Exchange(ref _alone, 0) == 1)
            {
                logger.ReplayCheckShared();
            }

            return reply.Kind != RedisReplyKind.Null;
        }
        catch (Exception e) when (e is RedisUnavailableException or RedisServerException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            Alone(e.Message);
            return true;
        }
    }

    private void Alone(string reason)
    {
        if (Interlocked.Exchange(ref _alone, 1) == 0)
        {
            logger.ReplayCheckAlone(reason);
        }
    }
}
