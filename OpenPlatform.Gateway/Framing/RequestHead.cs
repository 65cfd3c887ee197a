using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace OpenPlatform.Gateway.Framing;

/// <summary>How the end of a request's body is told.</summary>
internal enum BodyFraming : byte
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>By <c>Content-Length</c>.</summary>
    Length,

    /// <summary>By the last chunk.</summary>
    Chunked,
}

/// <summary>
/// The head of an HTTP/1 request, read as strictly as RFC 9112 lets a server: what two servers could read differently is not a
/// head. Allocates only for names in <c>Connection</c> that are not of the usual few.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct RequestHead
{
    private const int MostLengthDigits = 18; // fits a long

    private static readonly SearchValues<byte> Controls =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Where(static c => c != '\t').Select(static c => (byte)c), 0x7F]);

    private static readonly SearchValues<byte> PlainName = SearchValues.Create("!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^`abcdefghijklmnopqrstuvwxyz|~"u8);
    private static readonly SearchValues<byte> Token = SearchValues.Create("!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"u8);
    private static readonly SearchValues<byte> Visible = SearchValues.Create([.. Enumerable.Range(0x21, 0x7F - 0x21).Select(static c => (byte)c)]);
    private static readonly SearchValues<byte> HostCharacters = SearchValues.Create("!$%&'()*+,-.0123456789:;=ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~"u8);

    private bool _isHttp10;
    private bool _hasLength;
    private bool _hasChunked;
    private bool _hasHost;

    public BodyFraming Framing { get; private set; }

    /// <summary>Bytes of the body when <see cref="Framing"/> is <see cref="BodyFraming.Length"/>.</summary>
    public long BodyLength { get; private set; }

    /// <summary>True when there is a name of the kind that <see cref="ProtectedHeaders.IsClaim"/> looks for.</summary>
    public bool MayClaim { get; private set; }

    /// <summary>True when the request asks for a WebSocket.</summary>
    public bool IsWebSocket { get; private set; }

    /// <summary>Names that <c>Connection</c> lists, but for the usual ones; null when there are none.</summary>
    public List<string>? Nominated { get; private set; }

    /// <summary>True when everybody reads <paramref name="bytes"/> the same way.</summary>
    /// <param name="bytes">From the first byte of the request line to the empty line, which is the first one.</param>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out RequestHead head)
    {
        head = default;
        return TakeLine(ref bytes, out var line) && head.TryReadRequestLine(line, out var authority) && head.TryReadFields(bytes, authority);
    }

    /// <summary>Lines end in CR LF; neither stands alone, and no other control character stands anywhere (RFC 9112, 2.2; RFC 9110, 5.5).</summary>
    private static bool TakeLine(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> line)
    {
        var end = rest.IndexOfAny(Controls);
        if (end < 0 || end + 1 >= rest.Length || rest[end] != '\r' || rest[end + 1] != '\n')
        {
            line = default;
            return false;
        }

        line = rest[..end];
        rest = rest[(end + 2)..];
        return true;
    }

    private bool TryReadRequestLine(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> authority)
    {
        authority = default;
        var methodEnd = line.IndexOf((byte)' ');
        if (methodEnd <= 0 || line[..methodEnd].ContainsAnyExcept(Token) || line.Length < methodEnd + 11)
        {
            return false;
        }

        var version = line[^9..];
        _isHttp10 = version.SequenceEqual(" HTTP/1.0"u8);
        if (!_isHttp10 && !version.SequenceEqual(" HTTP/1.1"u8))
        {
            return false;
        }

        var method = line[..methodEnd];
        var target = line[(methodEnd + 1)..^9];
        if (target.ContainsAnyExcept(Visible) || target.Contains((byte)'#') || PathOf(target).IndexOf("%00"u8) >= 0 || method.SequenceEqual("CONNECT"u8))
        {
            return false;
        }

        // RFC 9112, 3.2: origin-form, asterisk-form, or absolute-form, whose authority must be that of Host.
        if (target[0] == '/' || (target.SequenceEqual("*"u8) && method.SequenceEqual("OPTIONS"u8)))
        {
            return true;
        }

        var scheme = Ascii.EqualsIgnoreCase(target[..Math.Min(7, target.Length)], "http://"u8) ? 7
            : Ascii.EqualsIgnoreCase(target[..Math.Min(8, target.Length)], "https://"u8) ? 8 : 0;
        var authorityEnd = scheme == 0 ? 0 : target[scheme..].IndexOfAny((byte)'/', (byte)'?');
        authority = scheme == 0 ? default : authorityEnd < 0 ? target[scheme..] : target.Slice(scheme, authorityEnd);
        return authority.Length > 0 && !authority.ContainsAnyExcept(HostCharacters);
    }

    private static ReadOnlySpan<byte> PathOf(ReadOnlySpan<byte> target) => target.IndexOf((byte)'?') is >= 0 and var query ? target[..query] : target;

    private bool TryReadFields(ReadOnlySpan<byte> rest, ReadOnlySpan<byte> authority)
    {
        while (TakeLine(ref rest, out var line))
        {
            if (line.Length == 0)
            {
                return rest.Length == 0 && IsComplete(authority);
            }

            var nameEnd = line.IndexOf((byte)':');
            if (nameEnd <= 0)
            {
                return false;
            }

            // A line that begins with white space (obs-fold) or has some before the colon has no name (RFC 9112, 5).
            var name = line[..nameEnd];
            var odd = name.IndexOfAnyExcept(PlainName);
            if (odd >= 0)
            {
                MayClaim = true;
                if (name[odd..].ContainsAnyExcept(Token))
                {
                    return false;
                }
            }

            var value = line[(nameEnd + 1)..].Trim(" \t"u8);
            var isGood = name.Length switch
            {
                4 when Ascii.EqualsIgnoreCase(name, "host"u8) => TryReadHost(value, authority),
                6 when Ascii.EqualsIgnoreCase(name, "expect"u8) => Ascii.EqualsIgnoreCase(value, "100-continue"u8),
                7 when Ascii.EqualsIgnoreCase(name, "trailer"u8) => MayClaim = true,
                // Others than WebSocket are of no use through a gateway; h2c, which curl offers, is not taken up.
                7 when Ascii.EqualsIgnoreCase(name, "upgrade"u8) => (IsWebSocket = Ascii.EqualsIgnoreCase(value, "websocket"u8)) || Ascii.EqualsIgnoreCase(value, "h2c"u8),
                10 when Ascii.EqualsIgnoreCase(name, "connection"u8) => TryReadConnection(value),
                14 when Ascii.EqualsIgnoreCase(name, "content-length"u8) => TryReadLength(value),
                17 when Ascii.EqualsIgnoreCase(name, "transfer-encoding"u8) => TryReadCoding(value),
                >= 9 when (name[0] | 0x20) is 'x' or 'f' => TakeClaim(name),
                _ => true,
            };
            if (!isGood)
            {
                return false;
            }
        }

        return false;
    }

    private bool IsComplete(ReadOnlySpan<byte> authority)
    {
        Framing = _hasChunked ? BodyFraming.Chunked : BodyLength > 0 ? BodyFraming.Length : BodyFraming.None;
        return !(_hasChunked && _hasLength) && (_hasHost || (_isHttp10 && authority.Length == 0));
    }

    private bool TryReadHost(ReadOnlySpan<byte> value, ReadOnlySpan<byte> authority)
    {
        var isFirst = !_hasHost;
        _hasHost = true;
        return isFirst && !value.ContainsAnyExcept(HostCharacters) && (authority.Length == 0 || Ascii.EqualsIgnoreCase(authority, value));
    }

    /// <summary>Once, digits only: no sign, no list (RFC 9110, 8.6).</summary>
    private bool TryReadLength(ReadOnlySpan<byte> value)
    {
        if (_hasLength || value.Length is 0 or > MostLengthDigits)
        {
            return false;
        }

        _hasLength = true;
        foreach (var digit in value)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return false;
            }

            BodyLength = (BodyLength * 10) + (digit - '0');
        }

        return true;
    }

    /// <summary><c>chunked</c>, once, nothing else, and not in HTTP/1.0 (RFC 9112, 6.1).</summary>
    private bool TryReadCoding(ReadOnlySpan<byte> value)
    {
        var isFirst = !_hasChunked;
        _hasChunked = true;
        return isFirst && !_isHttp10 && Ascii.EqualsIgnoreCase(value, "chunked"u8);
    }

    private bool TakeClaim(ReadOnlySpan<byte> name)
    {
        MayClaim |= Ascii.EqualsIgnoreCase(name[..9], "forwarded"u8) || Ascii.EqualsIgnoreCase(name[..9], "x-forward"u8) || Ascii.EqualsIgnoreCase(name, "x-real-ip"u8);
        return true;
    }

    private bool TryReadConnection(ReadOnlySpan<byte> value)
    {
        foreach (var range in value.Split((byte)','))
        {
            var name = value[range].Trim(" \t"u8);
            if (name.Length == 0 || Ascii.EqualsIgnoreCase(name, "keep-alive"u8) || Ascii.EqualsIgnoreCase(name, "close"u8)
                || Ascii.EqualsIgnoreCase(name, "upgrade"u8) || Ascii.EqualsIgnoreCase(name, "te"u8) || Ascii.EqualsIgnoreCase(name, "http2-settings"u8))
            {
                continue;
            }

            if (name.ContainsAnyExcept(Token))
            {
                return false;
            }

            var nominated = Encoding.ASCII.GetString(name);
            if (ProtectedHeaders.Contains(nominated))
            {
                return false; // a client that would like the gateway to lose what it relies on
            }

            (Nominated ??= []).Add(nominated);
        }

        return true;
    }
}
