using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Forwarding.Direct;
using OpenPlatform.Gateway.Framing;

namespace OpenPlatform.Gateway.Context;

/// <summary>
/// What a client's connection carries from request to request. Nearly all of HTTP/1 alone: there a connection has one request at a time.
/// </summary>
internal sealed class ClientConnection(CancellationToken closed) : IDisposable
{
    private CancellationTokenRegistration _registration;
    private DirectConnection? _underWay;
    private long _exchange;
    private int _streams;
    private int _givenUp;

    /// <summary>The part of a request's head that says who called and how: the same for all requests of a connection.</summary>
    public OriginLines Origin { get; } = new();

    /// <summary>What reads the connection; null where that is not HTTP/1.</summary>
    public GuardedReader? Guard { get; set; }

    /// <summary>The key it presented last.</summary>
    public KnownKey Key { get; } = new();

    /// <summary>The last request on it was refused: the next one is timed, so that who is refused again and again can be told why to the µs.</summary>
    public bool WasRefused { get; set; }

    public bool HasLeft => closed.IsCancellationRequested;

    /// <summary>From now on the end of this connection ends what it waits for: one registration a connection, none a request.</summary>
    public void Watch() => _registration = closed.UnsafeRegister(static client => ((ClientConnection)client!).Leave(), this);

    /// <summary>The request under way waits for this exchange.</summary>
    public void WaitFor(DirectConnection connection, long exchange)
    {
        _exchange = exchange;
        Volatile.Write(ref _underWay, connection);
        if (HasLeft)
        {
            Leave();
        }
    }

    /// <summary>
    /// Of HTTP/2, where a request that is given up costs its client two small frames and makes room for the next one (CVE-2023-44487): the server's limit is on
    /// those that are open, and one that ends at once is not. By the rule, and the numbers, that Envoy has for it ("premature reset").
    /// </summary>
    /// <returns>False: more than half of its requests were given up within a second, out of so many that this is how it is meant.</returns>
    public bool Ended(bool givenUp)
    {
        const int Few = 500;
        var streams = Interlocked.Increment(ref _streams);
        return !givenUp || Interlocked.Increment(ref _givenUp) <= streams / 2 || streams < Few;
    }

    public void Dispose() => _registration.Dispose();

    /// <summary>What it waited for last may have ended since, and its connection serve somebody else: then the number has changed.</summary>
    private void Leave() => Volatile.Read(ref _underWay)?.Abort(Volatile.Read(ref _exchange), AbortReason.ClientLeft);
}
