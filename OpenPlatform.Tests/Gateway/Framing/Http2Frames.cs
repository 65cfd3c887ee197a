using System.Globalization;
using System.Text;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>
/// Frames of HTTP/2 as a line of text, one after the other, parted by <c> / </c>: a kind, its options after colons, and its payload. Options: <c>end</c> (END_STREAM),
/// <c>part</c> (no END_HEADERS), <c>stream=3</c> (1 unless said), <c>pad=5</c> (PADDED by so much, or lying about it when there is less), <c>times=100</c>, and
/// <c>type=</c>, <c>flags=</c> of a <c>raw</c> frame. A head is fields parted by <c>|</c>, <c>name=value</c>; <c>#3fe1</c> is bytes of HPACK; every other payload
/// is text, and after <c>#</c> bytes.
/// </summary>
/// <param name="Bytes">As they are sent.</param>
/// <param name="Streams">Where a request begins: there is an answer to wait for.</param>
internal sealed record Http2Frames(byte[] Bytes, IReadOnlyList<int> Streams)
{
    private const string Usual = ":scheme=http|:path={base}/echo|:authority=api.example|x-api-key={key}";

    private static readonly Dictionary<string, byte> Types = new(StringComparer.Ordinal)
    {
        ["data"] = 0, ["headers"] = 1, ["priority"] = 2, ["reset"] = 3, ["settings"] = 4, ["push"] = 5, ["ping"] = 6, ["window"] = 8, ["continuation"] = 9,
    };

    /// <param name="text">The frames.</param>
    /// <param name="basePath">Takes the place of <c>{base}</c>.</param>
    /// <param name="stream">Of frames that do not say one.</param>
    public static Http2Frames Of(string text, string basePath, int stream = 1)
    {
        text = text.Replace("{get}", ":method=GET|" + Usual, StringComparison.Ordinal).Replace("{post}", ":method=POST|" + Usual, StringComparison.Ordinal)
            .Replace("{end}", ":method=GET|" + Usual.Replace("/echo", "/end", StringComparison.Ordinal), StringComparison.Ordinal);
        var bytes = new List<byte>();
        var streams = new SortedSet<int>();
        foreach (var frame in text.Split(" / "))
        {
            var space = frame.IndexOf(' ', StringComparison.Ordinal);
            var words = (space < 0 ? frame : frame[..space]).Split(':');
            var options = words.Skip(1).Select(static option => option.Split('=')).ToDictionary(static option => option[0], static option => option.Length > 1 ? int.Parse(option[1], CultureInfo.InvariantCulture) : 1, StringComparer.Ordinal);
            var isHead = words[0] is "headers" or "continuation";
            var payload = Payload(space < 0 ? "" : frame[(space + 1)..], isHead, basePath);
            var flags = options.GetValueOrDefault("flags") | options.GetValueOrDefault("end") | (isHead && !options.ContainsKey("part") ? 4 : 0) | (options.ContainsKey("pad") ? 8 : 0);
            if (options.TryGetValue("pad", out var pad))
            {
                payload = [(byte)pad, .. payload, .. new byte[pad < 200 ? pad : 0]];
            }

            var id = options.TryGetValue("stream", out var said) ? said : stream;
            var type = words[0] == "raw" ? (byte)options["type"] : Types[words[0]];
            for (var i = options.GetValueOrDefault("times", 1); i > 0; i--)
            {
                bytes.AddRange(Http2Wire.Frame(type, (byte)flags, id, payload));
            }

            if (type == 1)
            {
                streams.Add(id);
            }
        }

        return new([.. bytes], [.. streams]);
    }

    private static byte[] Payload(string text, bool isHead, string basePath)
    {
        if (!isHead)
        {
            return text.StartsWith('#') ? Convert.FromHexString(text[1..]) : DifferentialTests.Bytes(text, basePath);
        }

        var block = new List<byte>();
        foreach (var field in text.Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = field.IndexOf('=', StringComparison.Ordinal);
            block.AddRange(field.StartsWith('#') ? Convert.FromHexString(field[1..]) : Http2Wire.Field(Decode(field[..equals]), Decode(field[(equals + 1)..])));
        }

        return [.. block];

        string Decode(string part) => Encoding.Latin1.GetString(DifferentialTests.Bytes(part, basePath));
    }
}
