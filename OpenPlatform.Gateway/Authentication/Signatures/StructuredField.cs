using System.Buffers;
using System.Globalization;
using System.Text;

namespace OpenPlatform.Gateway.Authentication.Signatures;

/// <summary>An item of a structured field (RFC 8941): its value and parameters. A value is a string, <see cref="Token"/>, long,
/// decimal, bool, byte[], or the <see cref="SfItem"/>s of an inner list.</summary>
internal sealed record SfItem(object Value, IReadOnlyList<KeyValuePair<string, object>> Parameters)
{
    /// <summary>The parameter, or null. Names are unique: the last one counts (RFC 8941, 4.2.3.2).</summary>
    public object? this[string parameter] => Parameters.FirstOrDefault(p => p.Key == parameter).Value;
}

/// <summary>A token: text without quotes.</summary>
internal readonly record struct Token(string Text);

/// <summary>Reads dictionaries and lists of structured fields and writes them back in their one canonical form.</summary>
internal ref struct StructuredField
{
    private const int MaxMembers = 32;
    private static readonly SearchValues<char> KeyCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_-.*");
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~:/");
    private static readonly SearchValues<char> BinaryCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=");

    private ReadOnlySpan<char> _rest;

    /// <summary>The members of a dictionary in order, or null when the text is not one (RFC 8941, 4.2.2), has more than 32 members,
    /// or more than 32 items or parameters in one of them.</summary>
    public static IReadOnlyList<KeyValuePair<string, SfItem>>? ParseDictionary(string text)
    {
        var parser = new StructuredField { _rest = text.AsSpan().Trim(' ') };
        return parser.TryDictionary(out var members) ? members : null;
    }

    /// <summary>
    /// The field in its one canonical form (RFC 8941, 4.1), whichever kind of structured field it is; null when it is none. The few that would be
    /// different ones as a list and as a dictionary (the same bare key twice) are none, too: nobody here knows the kinds of all fields.
    /// </summary>
    public static string? Canonical(string text)
    {
        var parser = new StructuredField { _rest = text.AsSpan().Trim(' ') };
        var asList = parser.TryList(out var items) && items.Count > 0 ? Join(items) : null;
        var asDictionary = ParseDictionary(text) is { Count: > 0 } members ? Join(members) : null;
        return asList is null || asDictionary is null || asList == asDictionary ? asList ?? asDictionary : null;
    }

    private static string Join(List<SfItem> items)
    {
        var text = new StringBuilder();
        foreach (var item in items)
        {
            Write(text.Append(text.Length == 0 ? "" : ", "), item);
        }

        return text.ToString();
    }

    private static string Join(IReadOnlyList<KeyValuePair<string, SfItem>> members)
    {
        var text = new StringBuilder();
        foreach (var (name, item) in members)
        {
            text.Append(text.Length == 0 ? "" : ", ").Append(name);
            if (item.Value is true)
            {
                WriteParameters(text, item.Parameters);
            }
            else
            {
                Write(text.Append('='), item);
            }
        }

        return text.ToString();
    }

    /// <summary>Writes a value with its parameters, as RFC 8941, 4.1 has it.</summary>
    public static void Write(StringBuilder to, SfItem item)
    {
        WriteBare(to, item.Value);
        WriteParameters(to, item.Parameters);
    }

    private static void WriteParameters(StringBuilder to, IReadOnlyList<KeyValuePair<string, object>> parameters)
    {
        foreach (var (name, value) in parameters)
        {
            to.Append(';').Append(name);
            if (value is not true)
            {
                to.Append('=');
                WriteBare(to, value);
            }
        }
    }

    private static void WriteBare(StringBuilder to, object value)
    {
        switch (value)
        {
            case string text:
                to.Append('"').Append(text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
                break;
            case Token token:
                to.Append(token.Text);
                break;
            case long number:
                to.Append(number);
                break;
            case decimal number:
                to.Append(number.ToString("0.0##", CultureInfo.InvariantCulture));
                break;
            case bool flag:
                to.Append(flag ? "?1" : "?0");
                break;
            case byte[] bytes:
                to.Append(':').Append(Convert.ToBase64String(bytes)).Append(':');
                break;
            case List<SfItem> items:
                to.Append('(');
                for (var i = 0; i < items.Count; i++)
                {
                    if (i > 0)
                    {
                        to.Append(' ');
                    }

                    Write(to, items[i]);
                }

                to.Append(')');
                break;
        }
    }

    private bool TryDictionary(out List<KeyValuePair<string, SfItem>> members)
    {
        members = [];
        while (!_rest.IsEmpty)
        {
            if (members.Count == MaxMembers || !TryKey(out var key))
            {
                return false;
            }

            SfItem? item;
            if (TryTake('='))
            {
                if (!(_rest is ['(', ..] ? TryInnerList(out item) : TryItem(out item)))
                {
                    return false;
                }
            }
            else if (TryParameters(out var parameters))
            {
                item = new(true, parameters);
            }
            else
            {
                return false;
            }

            members.RemoveAll(m => m.Key == key);
            members.Add(new(key, item!));
            SkipBlanks();
            if (_rest.IsEmpty)
            {
                return true;
            }

            if (!TryTake(','))
            {
                return false;
            }

            SkipBlanks();
            if (_rest.IsEmpty)
            {
                return false; // a comma at the end
            }
        }

        return true;
    }

    private bool TryList(out List<SfItem> items)
    {
        items = [];
        while (!_rest.IsEmpty)
        {
            if (items.Count == MaxMembers || !(_rest is ['(', ..] ? TryInnerList(out var item) : TryItem(out item)))
            {
                return false;
            }

            items.Add(item!);
            SkipBlanks();
            if (_rest.IsEmpty)
            {
                return true;
            }

            if (!TryTake(','))
            {
                return false;
            }

            SkipBlanks();
            if (_rest.IsEmpty)
            {
                return false; // a comma at the end
            }
        }

        return true;
    }

    private bool TryInnerList(out SfItem? list)
    {
        list = null;
        var items = new List<SfItem>();
        _rest = _rest[1..];
        while (true)
        {
            _rest = _rest.TrimStart(' ');
            if (TryTake(')'))
            {
                break;
            }

            if (items.Count == MaxMembers || !TryItem(out var item) || _rest is not ([' ', ..] or [')', ..]))
            {
                return false;
            }

            items.Add(item!);
        }

        if (!TryParameters(out var parameters))
        {
            return false;
        }

        list = new(items, parameters);
        return true;
    }

    private bool TryItem(out SfItem? item)
    {
        item = TryBare(out var value) && TryParameters(out var parameters) ? new(value!, parameters) : null;
        return item is not null;
    }

    private bool TryParameters(out List<KeyValuePair<string, object>> parameters)
    {
        parameters = [];
        while (TryTake(';'))
        {
            _rest = _rest.TrimStart(' ');
            object? value = true;
            if (parameters.Count == MaxMembers || !TryKey(out var key) || (TryTake('=') && !TryBare(out value)))
            {
                return false;
            }

            parameters.RemoveAll(p => p.Key == key);
            parameters.Add(new(key, value!));
        }

        return true;
    }

    private bool TryKey(out string key)
    {
        key = string.Empty;
        if (_rest.IsEmpty || _rest[0] is not ((>= 'a' and <= 'z') or '*'))
        {
            return false;
        }

        key = Take(KeyCharacters).ToString();
        return true;
    }

    private bool TryBare(out object? value)
    {
        value = null;
        switch (_rest)
        {
            case ['"', ..]:
                return TryString(out value);
            case [':', ..]:
                return TryBinary(out value);
            case ['?', '0' or '1', ..]:
                value = _rest[1] == '1';
                _rest = _rest[2..];
                return true;
            case ['-' or (>= '0' and <= '9'), ..]:
                return TryNumber(out value);
            case [(>= 'A' and <= 'Z') or (>= 'a' and <= 'z') or '*', ..]:
                value = new Token(Take(TokenCharacters).ToString());
                return true;
            default:
                return false;
        }
    }

    private bool TryString(out object? value)
    {
        value = null;
        var text = new StringBuilder();
        for (var i = 1; i < _rest.Length; i++)
        {
            var c = _rest[i];
            if (c == '"')
            {
                value = text.ToString();
                _rest = _rest[(i + 1)..];
                return true;
            }

            if (c == '\\')
            {
                if (++i == _rest.Length || _rest[i] is not ('"' or '\\'))
                {
                    return false;
                }

                c = _rest[i];
            }
            else if (c is < ' ' or > '~')
            {
                return false;
            }

            text.Append(c);
        }

        return false;
    }

    private bool TryBinary(out object? value)
    {
        value = null;
        _rest = _rest[1..];
        var base64 = Take(BinaryCharacters);
        var bytes = new byte[(base64.Length / 4 * 3) + 3];
        if (!TryTake(':') || !Convert.TryFromBase64Chars(base64, bytes, out var length))
        {
            return false;
        }

        value = bytes[..length];
        return true;
    }

    private bool TryNumber(out object? value)
    {
        value = null;
        var end = _rest[0] == '-' ? 1 : 0;
        var start = end;
        while (end < _rest.Length && (char.IsAsciiDigit(_rest[end]) || _rest[end] == '.'))
        {
            end++;
        }

        var text = _rest[..end];
        var point = text.IndexOf('.');
        _rest = _rest[end..];
        if (point < 0)
        {
            var right = end - start is >= 1 and <= 15;
            value = right ? long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) : null;
            return right;
        }

        var digits = text[(point + 1)..];
        if (point - start is < 1 or > 12 || digits.Length is < 1 or > 3 || digits.Contains('.'))
        {
            return false;
        }

        value = decimal.Parse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture);
        return true;
    }

    private bool TryTake(char expected)
    {
        if (_rest.IsEmpty || _rest[0] != expected)
        {
            return false;
        }

        _rest = _rest[1..];
        return true;
    }

    private ReadOnlySpan<char> Take(SearchValues<char> characters)
    {
        var end = _rest.IndexOfAnyExcept(characters);
        var taken = end < 0 ? _rest : _rest[..end];
        _rest = _rest[taken.Length..];
        return taken;
    }

    private void SkipBlanks() => _rest = _rest.TrimStart(" \t");
}
