using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Google.Protobuf;

namespace OpenPlatform.Hosting.Dashboard;

/// <summary>A call ends with this gRPC status; the message is for the caller.</summary>
internal sealed class GrpcException(GrpcStatus status, string message) : Exception(message)
{
    internal GrpcStatus Status => status;
}

/// <summary>Status codes of gRPC.</summary>
internal enum GrpcStatus
{
    Ok = 0,
    InvalidArgument = 3,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// <summary>Messages of gRPC over HTTP/2: one byte 0 (not compressed), the length as 4 bytes big-endian, the message.</summary>
internal static class GrpcFrames
{
    internal const int HeaderBytes = 5;
    /// <summary>Requests name a resource and a command; nothing the dashboard asks comes near this.</summary>
    internal const int MaxRequestBytes = 64 * 1024;

    /// <summary>Takes the first frame off the buffer. False while it is incomplete.</summary>
    /// <exception cref="GrpcException">Compressed or too long.</exception>
    internal static bool TryTake(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> message)
    {
        message = default;
        if (buffer.Length < HeaderBytes)
        {
            return false;
        }
        Span<byte> header = stackalloc byte[HeaderBytes];
        buffer.Slice(0, HeaderBytes).CopyTo(header);
        if (header[0] != 0)
        {
            throw new GrpcException(GrpcStatus.Unimplemented, "Compressed messages are not supported.");
        }
        var length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (length > MaxRequestBytes)
        {
            throw new GrpcException(GrpcStatus.ResourceExhausted, $"A message may have at most {MaxRequestBytes} bytes; this one says {length}.");
        }
        if (buffer.Length < HeaderBytes + length)
        {
            return false;
        }
        message = buffer.Slice(HeaderBytes, length);
        buffer = buffer.Slice(HeaderBytes + length);
        return true;
    }

    /// <summary>The one message of a request. A body without any counts as the empty message.</summary>
    /// <exception cref="GrpcException">The body is no frame, or the frame is no such message.</exception>
    internal static async Task<T> ReadAsync<T>(PipeReader body, MessageParser<T> parser, CancellationToken cancellationToken) where T : IMessage<T>
    {
        while (true)
        {
            var read = await body.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            if (TryTake(ref buffer, out var message))
            {
                try
                {
                    return parser.ParseFrom(message);
                }
                catch (InvalidProtocolBufferException error)
                {
                    throw new GrpcException(GrpcStatus.InvalidArgument, $"The request is no {typeof(T).Name}: {error.Message}");
                }
                finally
                {
                    body.AdvanceTo(buffer.Start);
                }
            }
            var left = buffer.Length;
            body.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                return left == 0 ? parser.ParseFrom(ReadOnlySequence<byte>.Empty)
                    : throw new GrpcException(GrpcStatus.InvalidArgument, "The request ends in the middle of a message.");
            }
        }
    }

    /// <summary>Writes one message and flushes it; waits while the reader is slow.</summary>
    internal static async Task WriteAsync(PipeWriter body, IMessage message, CancellationToken cancellationToken)
    {
        var length = message.CalculateSize();
        Frame(body.GetSpan(HeaderBytes + length));
        body.Advance(HeaderBytes + length);
        await body.FlushAsync(cancellationToken);

        void Frame(Span<byte> span)
        {
            span[0] = 0;
            BinaryPrimitives.WriteUInt32BigEndian(span[1..], (uint)length);
            message.WriteTo(span.Slice(HeaderBytes, length));
        }
    }
}
