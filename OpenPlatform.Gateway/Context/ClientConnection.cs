using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Forwarding.Direct;
using OpenPlatform.Gateway.Framing;

namespace OpenPlatform.Gateway.Context;

/// <summary>
/// What a client's connection carries from request to request. Of HTTP/1 alone: there a connection has one request at a time.
/// </summary>
internal sealed class ClientConnection(CancellationToken closed) : IDisposable
{
    private CancellationTokenRegistration _registration;
    private DirectConnection? _underWay;
    private long _exchange;

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

    public void Dispose() => _registration.Dispose();

    /// <summary>What it waited for last may have ended since, and its connection serve somebody else: then the number has changed.</summary>
    private void Leave() => Volatile.Read(ref _underWay)?.Abort(Volatile.Read(ref _exchange), AbortReason.ClientLeft);
}
