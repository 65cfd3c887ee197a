using System.Buffers;

namespace OpenPlatform.Gateway.Framing;

/// <summary>
/// Kestrel decodes a path once and takes dot segments out. What it leaves encoded, what is still encoded after that, and dot
/// segments themselves: a server before or behind us may see another path there.
/// </summary>
internal static class PathGuard
{
    // A percent sign that is left was an encoded slash, was encoded twice, or encodes nothing; a backslash is a slash to some.
    // A decoded control character ends a line or a string somewhere.
    private static readonly SearchValues<char> Ambiguous =
        SearchValues.Create(['%', '\\', '\x7F', .. Enumerable.Range(0, 0x20).Select(static c => (char)c)]);

    /// <param name="target">The request target as it came.</param>
    /// <param name="path">The path as Kestrel understands it.</param>
    public static bool IsAmbiguous(ReadOnlySpan<char> target, ReadOnlySpan<char> path)
    {
        if (path.ContainsAny(Ambiguous))
        {
            return true;
        }

        var query = target.IndexOf('?');
        var raw = query < 0 ? target : target[..query];
        if (raw.IndexOfAny('%', '\\', '#') < 0 && raw.IndexOf("/.", StringComparison.Ordinal) < 0)
        {
            return false;
        }

        if (raw.ContainsAny('\\', '#'))
        {
            return true;
        }

        foreach (var range in raw.Split('/'))
        {
            if (IsDots(raw[range]))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True for one or two dots, encoded or not, also with parameters: some servers look at <c>..;a=b</c> as <c>..</c></summary>
    private static bool IsDots(ReadOnlySpan<char> segment)
    {
        var dots = 0;
        while (segment.Length > 0)
        {
            var width = segment[0] == '.' ? 1 : segment.StartsWith("%2e", StringComparison.OrdinalIgnoreCase) ? 3 : 0;
            if (width == 0)
            {
                break;
            }

            dots++;
            segment = segment[width..];
        }

        return dots is 1 or 2 && (segment.Length == 0 || segment[0] == ';' || segment.StartsWith("%3b", StringComparison.OrdinalIgnoreCase));
    }
}
