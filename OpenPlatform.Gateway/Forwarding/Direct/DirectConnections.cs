using System.Net;
using System.Net.Sockets;

namespace OpenPlatform.Gateway.Forwarding.Direct;

/// <summary>The connections to one instance: those that wait for a request, the last used first, and those that carry one.</summary>
internal sealed class DirectConnections(Uri address)
{
    /// <summary>A connection that nobody needs is closed after this; less than most servers wait.</summary>
    private const long MostIdleMilliseconds = 60_000;

    /// <summary>Waiting connections that one sweep asks whether they still live: each is a system call.</summary>
    private const int MostAsked = 8;

    private readonly Lock _gate = new();
    private readonly List<DirectConnection> _all = [];
    private readonly List<DirectConnection> _idle = [];
    private readonly string _host = address.IdnHost;
    private readonly int _port = address.Port;
    private int _asked;

    public Uri Address { get; } = address;

    /// <summary>For the request's <c>Host</c>: the instance is named by its own address.</summary>
    public string Authority { get; } = address.Authority;

    public int Open
    {
        get
        {
            lock (_gate)
            {
                return _all.Count;
            }
        }
    }

    public int Idle
    {
        get
        {
            lock (_gate)
            {
                return _idle.Count;
            }
        }
    }

    /// <param name="surely">Look first whether it still lives, because the request could not be sent again.</param>
    public DirectConnection? Take(bool surely)
    {
        while (true)
        {
            DirectConnection connection;
            lock (_gate)
            {
                if (_idle.Count == 0)
                {
                    return null;
                }

                connection = _idle[^1];
                _idle.RemoveAt(_idle.Count - 1);
            }

            if (!surely || !connection.IsStale())
            {
                return connection;
            }

            Close(connection);
        }
    }

    /// <exception cref="SocketException">Nobody listens there, or not within the time.</exception>
    /// <exception cref="OperationCanceledException">The request has ended.</exception>
    public async ValueTask<DirectConnection> ConnectAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        EndPoint endpoint = IPAddress.TryParse(_host, out var address) ? new IPEndPoint(address, _port) : new DnsEndPoint(_host, _port);
        var connection = new DirectConnection(await BackendConnection.ConnectAsync(endpoint, timeout, cancellationToken));
        lock (_gate)
        {
            _all.Add(connection);
        }

        return connection;
    }

    /// <summary>It waits for the next request.</summary>
    public void Return(DirectConnection connection)
    {
        lock (_gate)
        {
            _idle.Add(connection);
        }
    }

    public void Close(DirectConnection connection)
    {
        connection.Dispose();
        lock (_gate)
        {
            _all.Remove(connection);
        }
    }

    /// <summary>The instance is frozen: what it has not begun to answer, and another can, is taken from it.</summary>
    public void Abandon()
    {
        lock (_gate)
        {
            foreach (var connection in _all)
            {
                if (connection.Exchange is { } exchange && connection.MayBeAbandoned)
                {
                    connection.Abort(exchange, AbortReason.Silenced);
                }
            }
        }
    }

    /// <summary>Ends what has not moved for too long, and closes what waits in vain.</summary>
    /// <param name="now">Milliseconds of a clock that only sweeps read.</param>
    /// <returns>False when there is nothing left to look after.</returns>
    public bool Sweep(long now)
    {
        List<DirectConnection>? dead = null;
        lock (_gate)
        {
            foreach (var connection in _all)
            {
                // In this order: an exchange that begins, and a client that reads on, have moved before they say so.
                if (connection.Exchange is { } exchange && !connection.WaitsForClient && connection.StillFor(now) > connection.IdleLimit)
                {
                    connection.Abort(exchange, AbortReason.Idle);
                }
            }

            for (var i = 0; i < Math.Min(MostAsked, _idle.Count); i++)
            {
                var connection = _idle[_asked = (_asked + 1) % _idle.Count];
                var stillFor = connection.StillFor(now);
                if (stillFor > MostIdleMilliseconds || (stillFor > 1000 && connection.IsStale()))
                {
                    (dead ??= []).Add(connection);
                    _idle.Remove(connection);
                    i--;
                }

                if (_idle.Count == 0)
                {
                    break;
                }
            }
        }

        dead?.ForEach(Close);
        return Open > 0;
    }

    /// <summary>Closes what waits; what is under way ends by itself.</summary>
    public void CloseIdle()
    {
        while (Take(surely: false) is { } connection)
        {
            Close(connection);
        }
    }
}
