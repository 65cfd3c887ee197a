using System.Buffers;
using System.Buffers.Text;
using System.Collections.Frozen;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Gateway.Framing;

namespace OpenPlatform.Gateway.Forwarding.Direct;

/// <summary>How the end of an answer's body is told.</summary>
internal enum AnswerFraming : byte
{
    None,
    Length,
    Chunked,

    /// <summary>By the end of the connection.</summary>
    Close,
}

/// <summary>
/// The head of an HTTP/1 answer, read strictly (RFC 9112): what two readers could take differently is no answer. Answers of one connection are
/// alike, so each line is first compared with the one that stood there last time: only what has changed is read again, and only that allocates.
/// </summary>
internal sealed class AnswerHead
{
    private const int MostLines = 256;
    private const int MostKeptLines = 32;
    private const int LongestKeptLine = 1024;
    private const int MostLengthDigits = 18; // fits a long

    private static readonly SearchValues<byte> Token = SearchValues.Create("!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"u8);

    private static readonly SearchValues<byte> Controls =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Where(static c => c != '\t').Select(static c => (byte)c), 0x7F]);

    private const int LongestKnownName = 64;

    private static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> KnownNames = typeof(HeaderNames).GetFields()
        .Select(static field => (string)field.GetValue(null)!)
        .DistinctBy(static name => name, StringComparer.OrdinalIgnoreCase)
        .ToFrozenDictionary(static name => name, StringComparer.OrdinalIgnoreCase)
        .GetAlternateLookup<ReadOnlySpan<char>>();

    private readonly List<Line> _lines = [];
    private readonly List<string> _nominated = [];
    private int _count;
    private bool _isAligned; // so far each line has the name that stood there last time
    private bool _hasLength;
    private bool _hasChunked;
    private bool _isHttp10;

    private enum Kind : byte
    {
        /// <summary>Goes on to the client.</summary>
        Plain,

        /// <summary>Goes on, beside another of its name.</summary>
        Repeated,

        /// <summary>For this hop alone.</summary>
        Skipped,
        Length,
        Coding,
        Connection,
    }

    public int Status { get; private set; }

    /// <summary>Null: the usual one.</summary>
    public string? Reason { get; private set; }

    public AnswerFraming Framing { get; private set; }

    /// <summary>Bytes of the body, or what would be its bytes; -1: not said.</summary>
    public long Length { get; private set; }

    /// <summary>The connection can be used again.</summary>
    public bool KeepsAlive { get; private set; }

    /// <summary>Reads a head.</summary>
    /// <returns>Its bytes; 0: there is more to come; -1: it is none.</returns>
    public int Read(ReadOnlySpan<byte> bytes, bool isHead)
    {
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return 0;
        }

        (_count, _isAligned, _hasLength, _hasChunked, Length) = (0, true, false, false, -1);
        _nominated.Clear();
        var isGood = TryReadLines(bytes[..(end + 2)]);
        _lines.RemoveRange(_count, _lines.Count - _count); // what is kept must be of one head
        if (!isGood)
        {
            return -1;
        }

        Conclude(isHead);
        return end + 4;
    }

    /// <summary>Gives the headers to the client's answer.</summary>
    public void CopyTo(IHeaderDictionary headers)
    {
        for (var i = 0; i < _count; i++)
        {
            var line = _lines[i];
            if (line.Kind == Kind.Plain)
            {
                headers[line.Name] = line.Value;
            }
            else if (line.Kind == Kind.Repeated)
            {
                headers[line.Name] = StringValues.Concat(headers[line.Name], line.Value);
            }
        }

        foreach (var name in _nominated)
        {
            headers.Remove(name); // RFC 9110, 7.6.1
        }

        if (Length >= 0 && Framing != AnswerFraming.Chunked && !(Status is StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent))
        {
            headers.ContentLength = Length;
        }
    }

    private bool TryReadLines(ReadOnlySpan<byte> rest)
    {
        if (!TryReadStatus(ref rest))
        {
            return false;
        }

        while (rest.Length > 0)
        {
            if (!TryReadLine(ref rest))
            {
                return false;
            }
        }

        return true;
    }

    private bool TryReadStatus(ref ReadOnlySpan<byte> rest)
    {
        // HTTP/1.1 200 OK
        _isHttp10 = rest.StartsWith("HTTP/1.0 "u8);
        if (!_isHttp10 && !rest.StartsWith("HTTP/1.1 "u8))
        {
            return false;
        }

        var lineEnd = rest.IndexOf("\r\n"u8);
        var line = rest[..lineEnd];
        if (line.Length < 12 || !Utf8Parser.TryParse(line.Slice(9, 3), out int status, out var digits) || digits != 3 || status < 100
            || (line.Length > 12 && line[12] != ' ') || line.ContainsAny(Controls))
        {
            return false;
        }

        KeepsAlive = !_isHttp10;
        var reason = line.Length > 13 ? line[13..] : default;
        var usual = ReasonPhrases.GetReasonPhrase(status);
        Status = status;
        Reason = Ascii.Equals(reason, usual) ? null : Encoding.Latin1.GetString(reason);
        rest = rest[(lineEnd + 2)..];
        return true;
    }

    private bool TryReadLine(ref ReadOnlySpan<byte> rest)
    {
        var before = _count < _lines.Count ? _lines[_count] : null;
        if (_isAligned && before is { Bytes: { } known } && rest.StartsWith(known))
        {
            rest = rest[known.Length..];
            return Apply(before);
        }

        var end = rest.IndexOf((byte)'\r');
        if (_count == MostLines || end <= 0 || rest[end + 1] != '\n' || !TryParse(rest[..end], rest[..(end + 2)], out var line))
        {
            return false;
        }

        _isAligned &= before?.Name == line.Name;
        if (before is null)
        {
            _lines.Add(line);
        }
        else
        {
            _lines[_count] = line;
        }

        rest = rest[(end + 2)..];
        return Apply(line);
    }

    /// <summary>No white space before the colon, none at the beginning (obs-fold), no control character anywhere.</summary>
    private bool TryParse(ReadOnlySpan<byte> text, ReadOnlySpan<byte> whole, out Line line)
    {
        line = null!;
        var colon = text.IndexOf((byte)':');
        if (colon <= 0 || text[..colon].ContainsAnyExcept(Token) || text.ContainsAny(Controls))
        {
            return false;
        }

        var name = NameOf(text[..colon]);
        var value = Encoding.Latin1.GetString(text[(colon + 1)..].Trim(" \t"u8));
        var kind = name.Equals(HeaderNames.ContentLength, StringComparison.OrdinalIgnoreCase) ? Kind.Length
            : name.Equals(HeaderNames.TransferEncoding, StringComparison.OrdinalIgnoreCase) ? Kind.Coding
            : name.Equals(HeaderNames.Connection, StringComparison.OrdinalIgnoreCase) ? Kind.Connection
            : HopByHop.Contains(name) ? Kind.Skipped
            : IsThere(name) ? Kind.Repeated : Kind.Plain;
        line = new(_count < MostKeptLines && whole.Length <= LongestKeptLine ? whole.ToArray() : null, name, value, kind);
        return true;
    }

    /// <summary>The server's own string for a name it knows: it compares by reference first.</summary>
    private static string NameOf(ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[Math.Min(name.Length, LongestKnownName)];
        return name.Length <= LongestKnownName && Ascii.ToUtf16(name, text, out _) == OperationStatus.Done && KnownNames.TryGetValue(text, out var known)
            ? known
            : Encoding.ASCII.GetString(name);
    }

    /// <summary>True when a line before has the same name.</summary>
    private bool IsThere(string name)
    {
        for (var i = 0; i < _count; i++)
        {
            if (_lines[i].Name.Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private bool Apply(Line line)
    {
        _count++;
        switch (line.Kind)
        {
            case Kind.Length:
                return TryReadLength(line.Value);
            case Kind.Coding:
                // chunked, once, nothing else: what a coding below it would mean nobody has asked for.
                var isFirst = !_hasChunked;
                _hasChunked = true;
                return isFirst && !_isHttp10 && line.Value.Equals("chunked", StringComparison.OrdinalIgnoreCase);
            case Kind.Connection:
                ReadConnection(line.Value);
                return true;
            default:
                return true;
        }
    }

    /// <summary>Digits only; said twice, it must be the same.</summary>
    private bool TryReadLength(string value)
    {
        if (value.Length is 0 or > MostLengthDigits)
        {
            return false;
        }

        long length = 0;
        foreach (var digit in value)
        {
            if (!char.IsAsciiDigit(digit))
            {
                return false;
            }

            length = (length * 10) + (digit - '0');
        }

        var isGood = !_hasLength || Length == length;
        (_hasLength, Length) = (true, length);
        return isGood;
    }

    private void ReadConnection(string value)
    {
        foreach (var range in value.AsSpan().Split(','))
        {
            var option = value.AsSpan(range).Trim();
            if (option.Equals("close", StringComparison.OrdinalIgnoreCase))
            {
                KeepsAlive = false;
            }
            else if (option.Equals("keep-alive", StringComparison.OrdinalIgnoreCase))
            {
                KeepsAlive |= _isHttp10;
            }
            else if (option.Length > 0)
            {
                _nominated.Add(option.ToString());
            }
        }
    }

    /// <summary>RFC 9112, 6.3. With both a coding and a length the coding counts, and nothing more is read from such a server's connection.</summary>
    private void Conclude(bool isHead)
    {
        Framing = isHead || Status is < 200 or StatusCodes.Status204NoContent or StatusCodes.Status304NotModified ? AnswerFraming.None
            : _hasChunked ? AnswerFraming.Chunked
            : _hasLength ? (Length == 0 ? AnswerFraming.None : AnswerFraming.Length)
            : AnswerFraming.Close;
        KeepsAlive &= Framing != AnswerFraming.Close && !(_hasChunked && _hasLength);
        if (Status == StatusCodes.Status205ResetContent && Framing != AnswerFraming.None)
        {
            // It must not have content (RFC 9110, 15.3.6), and Kestrel would send none: what there is stays with the connection.
            (Framing, KeepsAlive) = (AnswerFraming.None, false);
        }

        if (_hasChunked)
        {
            Length = -1;
        }
    }

    private sealed record Line(byte[]? Bytes, string Name, string Value, Kind Kind);
}
