using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Framing;

/// <summary>
/// Stands at the beginning of every connection: looks at its first bytes, finds out what is spoken, and puts the
/// <see cref="GuardedReader"/> before HTTP/1. On a port without TLS, HTTP/2 is spoken with whoever begins with its preface.
/// </summary>
internal sealed class FramingGuard(IOptions<KestrelServerOptions> kestrel, EarlyRefusals refusals, ILogger<FramingGuard> logger)
{
    private const byte TlsHandshake = 0x16;

    private static readonly object? Http2Only = CreateProtocolsFeature(HttpProtocols.Http2);
    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>True when both protocols can be served on one port without TLS.</summary>
    public static bool CanChooseProtocol => Http2Only is not null;

    public void Use(ListenOptions listen)
    {
        if (!CanChooseProtocol)
        {
            logger.NoSharedPort();
        }

        listen.Use(next => connection => RunAsync(connection, next, listen));
    }

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate next, ListenOptions listen)
    {
        if (connection.RemoteEndPoint is IPEndPoint { Address.IsIPv4MappedToIPv6: true } mapped)
        {
            connection.RemoteEndPoint = new IPEndPoint(mapped.Address.MapToIPv4(), mapped.Port); // once here, not for each request
        }

        FirstBytes first;
        try
        {
            first = await FirstBytesAsync(connection, listen.Protocols);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return; // the client has gone before it said anything
        }

        if (first == FirstBytes.None)
        {
            return;
        }

        using var client = new ClientConnection(connection.ConnectionClosed);
        connection.Features.Set(client);
        client.Watch();
        var guarded = new GuardedConnection(connection, client, refusals);
        if (first == FirstBytes.Http2Preface)
        {
            connection.Features[Http2Only!.GetType()] = Http2Only;
        }
        else if (first == FirstBytes.Http1)
        {
            guarded.Guard(isPlain: true);
        }

        await next(guarded);
        await guarded.Sent;
    }

    private enum FirstBytes
    {
        /// <summary>The client has gone, or said nothing.</summary>
        None,

        /// <summary>Nothing to guard here: the layer of TLS is still to come, or the endpoint has no HTTP/1.</summary>
        Opaque,

        Http2Preface,

        Http1,
    }

    /// <summary>Waits for bytes, but no longer than Kestrel itself would, nor beyond the end of the server.</summary>
    private async Task<FirstBytes> FirstBytesAsync(ConnectionContext connection, HttpProtocols protocols)
    {
        if (!protocols.HasFlag(HttpProtocols.Http1))
        {
            return FirstBytes.Opaque;
        }

        var input = connection.Transport.Input;
        var http2 = CanChooseProtocol && protocols.HasFlag(HttpProtocols.Http2);
        using var timer = new CancellationTokenSource(kestrel.Value.Limits.KeepAliveTimeout);
        using var timeOut = timer.Token.UnsafeRegister(static reader => ((System.IO.Pipelines.PipeReader)reader!).CancelPendingRead(), input);
        using var shutdown = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested
            .UnsafeRegister(static reader => ((System.IO.Pipelines.PipeReader)reader!).CancelPendingRead(), input) ?? default;
        while (true)
        {
            var result = await input.ReadAsync();
            var buffer = result.Buffer;
            var start = buffer.Slice(0, Math.Min(buffer.Length, Preface.Length));
            var isPreface = IsPreface(start);
            var isShort = isPreface && start.Length < Preface.Length; // also: nothing at all
            input.AdvanceTo(buffer.Start, isShort ? buffer.End : buffer.Start);
            if (!isShort || !http2 || result.IsCompleted || result.IsCanceled)
            {
                return start.IsEmpty ? FirstBytes.None
                    : start.FirstSpan[0] == TlsHandshake ? FirstBytes.Opaque
                    : isPreface && !isShort && http2 ? FirstBytes.Http2Preface
                    : FirstBytes.Http1;
            }
        }
    }

    private static bool IsPreface(in ReadOnlySequence<byte> start)
    {
        Span<byte> copy = stackalloc byte[(int)start.Length];
        start.CopyTo(copy);
        return Preface.StartsWith(copy);
    }

    /// <summary>How Kestrel is told the protocol of one connection; it is not public, so it may be missing one day.</summary>
    private static object? CreateProtocolsFeature(HttpProtocols protocols) =>
        typeof(KestrelServerOptions).Assembly.GetType("Microsoft.AspNetCore.Server.Kestrel.Core.Internal.HttpProtocolsFeature") is { } type
            ? Activator.CreateInstance(type, protocols)
            : null;
}

internal static partial class FramingLog   // event ids 1700-1799
{
    [LoggerMessage(1701, LogLevel.Warning, "This server cannot speak HTTP/1 and HTTP/2 on one port without TLS: give HTTP/2 an endpoint of its own")]
    public static partial void NoSharedPort(this ILogger logger);
}
