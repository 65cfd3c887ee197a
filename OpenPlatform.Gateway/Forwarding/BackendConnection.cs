using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Gateway.Forwarding;

/// <summary>The one pool of connections to all instances.</summary>
internal sealed class BackendConnection : IDisposable
{
    public BackendConnection(IOptions<ForwardingOptions> options)
    {
        var connectTimeout = options.Value.ConnectTimeout;
        Invoker = new(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            EnableMultipleHttp2Connections = true,
            RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8, // as Kestrel read them
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
            ActivityHeadersPropagator = new ReverseProxyPropagator(DistributedContextPropagator.Current),
            // The handler's own limit would end in a cancellation that looks like a slow answer; a failed connect must look like one.
            ConnectTimeout = Timeout.InfiniteTimeSpan,
            ConnectCallback = async (context, cancellationToken) => new NetworkStream(
                await ConnectAsync(context.DnsEndPoint, context.InitialRequestMessage.Options.TryGetValue(ConnectTimeout, out var own) ? own : connectTimeout, cancellationToken),
                ownsSocket: true),
        });
    }

    /// <summary>On a request: what its API says of the time to connect. Who waits for a connection opens it, so it is the one that counts.</summary>
    public static HttpRequestOptionsKey<TimeSpan> ConnectTimeout { get; } = new("openplatform.connect-timeout");

    public HttpMessageInvoker Invoker { get; }

    public void Dispose() => Invoker.Dispose();

    /// <exception cref="SocketException">Nobody listens there, or not within the time.</exception>
    /// <exception cref="OperationCanceledException">Nobody wants it any more.</exception>
    public static async ValueTask<Socket> ConnectAsync(EndPoint endpoint, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var socket = (endpoint is IPEndPoint ? new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) : new(SocketType.Stream, ProtocolType.Tcp));
        socket.NoDelay = true;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            await socket.ConnectAsync(endpoint, limit.Token);
            return socket;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            throw new SocketException((int)SocketError.TimedOut);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
