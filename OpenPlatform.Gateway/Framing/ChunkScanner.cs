using System.Buffers;
using System.Runtime.InteropServices;

namespace OpenPlatform.Gateway.Framing;

/// <summary>
/// Follows a chunked body to its end without touching the data: size lines and the trailer section, read strictly (RFC 9112, 7.1).
/// Keeps its place between reads, wherever they are cut.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct ChunkScanner
{
    private enum Place : byte
    {
        Size, Extension, SizeLineFeed, Data, DataReturn, DataLineFeed, TrailerStart, TrailerName, TrailerValue, TrailerLineFeed, LastLineFeed, Done,
    }

    private const int MostSizeDigits = 8;
    private const int MostExtensionBytes = 1024;  // of one chunk
    private const int MostTrailerBytes = 8 << 10;

    private Place _place;
    private int _digits;
    private int _extra; // bytes of the extension or of the trailer section so far
    private long _left; // of the chunk

    /// <summary>True after the last byte of the body.</summary>
    public readonly bool IsDone => _place == Place.Done;

    /// <summary>True from the first byte behind the last chunk on.</summary>
    public readonly bool IsInTrailers => _place >= Place.TrailerStart;

    /// <summary>Some servers fill the line of a size up with blanks. From a backend, which nobody can speak through, that is taken.</summary>
    public bool AllowsBlanks { get; init; }

    /// <summary>Follows the body to the next piece of data.</summary>
    /// <param name="data">Where in <paramref name="span"/> it stands, and how many bytes of it are there; none: there is more to come, or it is done.</param>
    /// <returns>Bytes up to the end of the piece, or -1 when it is not a chunked body.</returns>
    public int Next(ReadOnlySpan<byte> span, out (int Start, int Count) data)
    {
        data = default;
        var i = 0;
        while (i < span.Length && !IsDone)
        {
            if (_place == Place.Data)
            {
                data = (i, (int)Math.Min(_left, span.Length - i));
                _left -= data.Count;
                _place = _left == 0 ? Place.DataReturn : Place.Data;
                return i + data.Count;
            }

            var wasInTrailers = IsInTrailers;
            if (!Step(span[i++]))
            {
                return -1;
            }

            if (IsInTrailers && !wasInTrailers)
            {
                break; // the trailer section is the caller's to read
            }
        }

        return i;
    }

    /// <summary>Bytes of <paramref name="buffer"/> that belong to the body, or -1 when it is not a chunked body.</summary>
    public long Scan(in ReadOnlySequence<byte> buffer)
    {
        long taken = 0;
        foreach (var memory in buffer)
        {
            var count = Scan(memory.Span);
            if (count < 0)
            {
                return -1;
            }

            taken += count;
            if (IsDone)
            {
                break;
            }
        }

        return taken;
    }

    private int Scan(ReadOnlySpan<byte> span)
    {
        var i = 0;
        while (i < span.Length && _place != Place.Done)
        {
            if (_place == Place.Data)
            {
                var data = (int)Math.Min(_left, span.Length - i);
                _left -= data;
                i += data;
                _place = _left == 0 ? Place.DataReturn : Place.Data;
            }
            else if (!Step(span[i++]))
            {
                return -1;
            }
        }

        return i;
    }

    private bool Step(byte c)
    {
        switch (_place)
        {
            case Place.Size when char.IsAsciiHexDigit((char)c):
                _left = (_left << 4) + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
                return ++_digits <= MostSizeDigits;
            case Place.Size when c == ';' && _digits > 0:
                return Go(Place.Extension);
            case Place.Size when c is (byte)' ' or (byte)'\t' && _digits > 0 && AllowsBlanks:
                return Go(Place.Extension);
            case Place.Size when c == '\r' && _digits > 0:
            case Place.Extension when c == '\r':
                return Go(Place.SizeLineFeed);
            case Place.Extension:
                return IsText(c) && ++_extra <= MostExtensionBytes;
            case Place.SizeLineFeed when c == '\n':
                _digits = _extra = 0;
                return Go(_left == 0 ? Place.TrailerStart : Place.Data);
            case Place.DataReturn when c == '\r':
                return Go(Place.DataLineFeed);
            case Place.DataLineFeed when c == '\n':
                return Go(Place.Size);

            case Place.TrailerStart when c == '\r':
                return Go(Place.LastLineFeed);
            case Place.TrailerStart:
            case Place.TrailerName when c != ':':
                return IsName(c) && ++_extra <= MostTrailerBytes && Go(Place.TrailerName);
            case Place.TrailerName:
                return Go(Place.TrailerValue);
            case Place.TrailerValue when c == '\r':
                return Go(Place.TrailerLineFeed);
            case Place.TrailerValue:
                return IsText(c) && ++_extra <= MostTrailerBytes;
            case Place.TrailerLineFeed when c == '\n':
                return Go(Place.TrailerStart);
            case Place.LastLineFeed when c == '\n':
                return Go(Place.Done);
            default:
                return false;
        }
    }

    private bool Go(Place place)
    {
        _place = place;
        return true;
    }

    private static bool IsText(byte c) => c is >= 0x20 and not 0x7F or (byte)'\t';

    private static bool IsName(byte c) => char.IsAsciiLetterOrDigit((char)c) || "!#$%&'*+-.^_`|~"u8.Contains(c);
}
