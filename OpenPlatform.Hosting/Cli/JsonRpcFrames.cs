using System.Buffers;
using System.Text;

namespace OpenPlatform.Hosting.Cli;

/// <summary>Messages of JSON-RPC on a stream: header lines, of which <c>Content-Length: N</c> counts, an empty line, N bytes.</summary>
internal static class JsonRpcFrames
{
    internal const int MaxHeaderBytes = 1024;
    internal const int MaxContentBytes = 1024 * 1024;

    /// <summary>Takes the first message off the buffer. False while it is incomplete.</summary>
    /// <exception cref="FormatException">These are no frames, or too long a one; nothing after it can be trusted.</exception>
    internal static bool TryTake(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> content)
    {
        content = default;
        var reader = new SequenceReader<byte>(buffer);
        if (!reader.TryReadTo(out ReadOnlySequence<byte> header, "\r\n\r\n"u8))
        {
            return buffer.Length <= MaxHeaderBytes ? false : throw new FormatException($"A header may have at most {MaxHeaderBytes} bytes.");
        }
        if (header.Length > MaxHeaderBytes)
        {
            throw new FormatException($"A header may have at most {MaxHeaderBytes} bytes.");
        }
        var length = ContentLength(Encoding.ASCII.GetString(header));
        if (reader.Remaining < length)
        {
            return false;
        }
        content = reader.UnreadSequence.Slice(0, length);
        buffer = reader.UnreadSequence.Slice(length);
        return true;
    }

    internal static byte[] Frame(ReadOnlySpan<byte> content) => [.. Encoding.ASCII.GetBytes($"Content-Length: {content.Length}\r\n\r\n"), .. content];

    private static int ContentLength(string header)
    {
        int? length = null;
        foreach (var line in header.Split("\r\n"))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 1)
            {
                throw new FormatException("A header line without a name.");
            }
            if (!line[..colon].Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }
            var value = line[(colon + 1)..].Trim();
            if (length is not null || value.Length is 0 or > 9 || !value.All(char.IsAsciiDigit))
            {
                throw new FormatException("Content-Length is no number, or stands there twice.");
            }
            length = int.Parse(value);
        }
        return length switch
        {
            null => throw new FormatException("Content-Length is missing."),
            > MaxContentBytes => throw new FormatException($"A message may have at most {MaxContentBytes} bytes; this one says {length}."),
            { } known => known,
        };
    }
}
