using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Framing;

/// <summary>
/// A connection as the layers above the guard see it. TLS, where there is any, is one of those layers: it puts its decrypted
/// transport in the place of the raw one, and that is the moment when the guard is put between it and HTTP.
/// </summary>
internal sealed class GuardedConnection(ConnectionContext inner, ClientConnection client, EarlyRefusals refusals) : ConnectionContext
{
    private IDuplexPipe? _guarded;
    private SocketWriter? _direct;

    public override string ConnectionId { get => inner.ConnectionId; set => inner.ConnectionId = value; }

    public override IFeatureCollection Features => inner.Features;

    public override IDictionary<object, object?> Items { get => inner.Items; set => inner.Items = value; }

    public override CancellationToken ConnectionClosed { get => inner.ConnectionClosed; set => inner.ConnectionClosed = value; }

    public override EndPoint? LocalEndPoint { get => inner.LocalEndPoint; set => inner.LocalEndPoint = value; }

    public override EndPoint? RemoteEndPoint { get => inner.RemoteEndPoint; set => inner.RemoteEndPoint = value; }

    public override IDuplexPipe Transport
    {
        get => _guarded ?? inner.Transport;
        set
        {
            inner.Transport = value;
            var protocol = Features.Get<ITlsApplicationProtocolFeature>()?.ApplicationProtocol ?? default;
            var isHttp1 = Features.Get<ITlsConnectionFeature>() is not null && !protocol.Span.SequenceEqual("h2"u8);
            _guarded = null;
            if (isHttp1)
            {
                Guard();
            }
        }
    }

    /// <summary>Ends when the client has been sent everything.</summary>
    public Task Sent => _direct?.Sent ?? Task.CompletedTask;

    /// <summary>From now on HTTP/1 is read and written through the guard.</summary>
    public void Guard(bool isPlain = false)
    {
        var reader = new GuardedReader(inner.Transport.Input);
        client.Guard = reader;
        _direct = isPlain && Features.Get<IConnectionSocketFeature>() is { Socket: var socket } ? new(socket, inner.Transport.Output) : null;
        _guarded = new Pipes(reader, new GuardedWriter(_direct ?? inner.Transport.Output, reader, refusals, inner.RemoteEndPoint));
    }

    public override void Abort(ConnectionAbortedException abortReason) => inner.Abort(abortReason);

    public override void Abort() => inner.Abort();

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
