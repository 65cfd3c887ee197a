using System.Text;
using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Framing;

namespace OpenPlatform.Gateway.Forwarding.Direct;

/// <summary>Takes the chunks out of an answer's body: what is left is moved together where it came in, so that it goes on in one piece.</summary>
internal sealed class ChunkedAnswer
{
    private ChunkScanner _scanner = new() { AllowsBlanks = true };
    private StringBuilder? _trailers;

    public bool IsDone => _scanner.IsDone;

    /// <param name="bytes">What has come.</param>
    /// <param name="data">Bytes of data, from the start of <paramref name="bytes"/> on.</param>
    /// <returns>Bytes that are done with.</returns>
    /// <exception cref="InvalidDataException">It is not a chunked body.</exception>
    public int Decode(Span<byte> bytes, out int data)
    {
        data = 0;
        var at = 0;
        while (at < bytes.Length && !IsDone)
        {
            var inTrailers = _scanner.IsInTrailers;
            var taken = _scanner.Next(bytes[at..], out var piece);
            if (taken < 0)
            {
                throw new InvalidDataException("The chunked body is malformed.");
            }

            if (piece.Count > 0)
            {
                bytes.Slice(at + piece.Start, piece.Count).CopyTo(bytes[data..]);
                data += piece.Count;
            }
            else if (inTrailers)
            {
                (_trailers ??= new()).Append(Encoding.Latin1.GetString(bytes.Slice(at, taken)));
            }

            at += taken;
        }

        return at;
    }

    /// <summary>Passes the trailers on, where the client's protocol has a place for them.</summary>
    public void CopyTrailers(HttpContext context)
    {
        if (_trailers is not { Length: > 2 } || context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers is not { IsReadOnly: false } trailers)
        {
            return;
        }

        foreach (var line in _trailers.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (!HopByHop.Contains(line[..colon]))
            {
                trailers.Append(line[..colon], line[(colon + 1)..].Trim());
            }
        }
    }
}
