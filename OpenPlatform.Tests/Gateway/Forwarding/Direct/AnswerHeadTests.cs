using System.Text;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Gateway.Forwarding.Direct;

namespace OpenPlatform.Tests.Gateway.Forwarding.Direct;

/// <summary>The head of a backend's answer: what is one, and that remembering the last one changes nothing.</summary>
public sealed class AnswerHeadTests
{
    private static readonly string[] Heads =
    [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nServer: a\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 404 Gone fishing\r\nServer: a\r\nVary: Accept\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close, X-Own\r\nX-Own: 1\r\nX-Other: 2\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nServer: a\r\nAlt-Svc: h3=\":443\"\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nServer: a\r\nSet-Cookie: b=2\r\nX-\u00e4: 1\r\n\r\n",
    ];

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", AnswerFraming.Length, true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", AnswerFraming.Length, true)]
    [InlineData("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", AnswerFraming.None, true)]
    [InlineData("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", AnswerFraming.None, true)]
    [InlineData("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", AnswerFraming.Chunked, true)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", AnswerFraming.Chunked, false)]
    [InlineData("HTTP/1.1 200 OK\r\nServer: a\r\n\r\n", AnswerFraming.Close, false)]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 5\r\n\r\n", AnswerFraming.Length, false)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", AnswerFraming.Length, false)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", AnswerFraming.Length, true)]
    internal void The_end_of_the_body_is_known_from_the_head(string text, AnswerFraming framing, bool keepsAlive)
    {
        var head = new AnswerHead();
        Assert.Equal(text.Length, head.Read(Encoding.Latin1.GetBytes(text), isHead: false));
        Assert.Equal((framing, keepsAlive), (head.Framing, head.KeepsAlive));
    }

    [Theory]
    [InlineData("HTTP/2 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 20 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 099 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 O\nK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nServer : a\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nServer: a\r\n b\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nServer: a\nX: b\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nServer: a\0b\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n: a\r\n\r\n")]
    public void What_two_readers_could_take_differently_is_no_answer(string text) =>
        Assert.Equal(-1, new AnswerHead().Read(Encoding.Latin1.GetBytes(text), isHead: false));

    [Fact]
    public void A_head_that_has_not_come_whole_is_waited_for()
    {
        var bytes = Encoding.Latin1.GetBytes(Heads[0]);
        for (var cut = 0; cut < bytes.Length; cut++)
        {
            Assert.Equal(0, new AnswerHead().Read(bytes.AsSpan(0, cut), isHead: false));
        }
    }

    [Fact]
    public void A_connection_that_remembers_its_last_answers_reads_the_next_one_as_a_fresh_one_does()
    {
        var random = new Random(11);
        byte[] interesting = [0, (byte)'\r', (byte)'\n', (byte)' ', (byte)':', (byte)',', (byte)'0', (byte)'5', 0x7F, 0xE4];
        var kept = new AnswerHead();
        var refused = 0;
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = Encoding.Latin1.GetBytes(Heads[random.Next(Heads.Length - (round % 2))]).ToList();
            for (var mutations = random.Next(0, 3); mutations > 0; mutations--)
            {
                var at = random.Next(bytes.Count);
                switch (random.Next(4))
                {
                    case 0: bytes[at] = interesting[random.Next(interesting.Length)]; break;
                    case 1: bytes.Insert(at, interesting[random.Next(interesting.Length)]); break;
                    case 2: bytes.RemoveAt(at); break;
                    default: bytes.InsertRange(at, bytes.GetRange(at, Math.Min(bytes.Count - at, random.Next(1, 30)))); break;
                }
            }

            byte[] mutated = [.. bytes];
            var fresh = new AnswerHead();
            var expected = Told(fresh, fresh.Read(mutated, isHead: false));
            Assert.Equal(expected, Told(kept, kept.Read(mutated, isHead: false)));
            refused += expected == "-1" ? 1 : 0;
        }

        Assert.InRange(refused, 1000, 15_000);
    }

    [Fact]
    public void Hop_by_hop_headers_and_those_that_Connection_names_end_here()
    {
        var head = new AnswerHead();
        head.Read(Encoding.Latin1.GetBytes(Heads[4]), isHead: false);
        var headers = new HeaderDictionary();
        head.CopyTo(headers);
        Assert.Equal(["X-Other"], headers.Keys);
    }

    [Fact]
    public void The_same_answer_again_is_read_without_allocating()
    {
        var bytes = Encoding.Latin1.GetBytes(Heads[0]);
        var head = new AnswerHead();
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                head.Read(bytes, isHead: false);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    private static string Told(AnswerHead head, int read)
    {
        if (read <= 0)
        {
            return read.ToString();
        }

        var headers = new HeaderDictionary();
        head.CopyTo(headers);
        return $"{read} {head.Status} {head.Reason} {head.Framing} {head.Length} {head.KeepsAlive} {string.Join('|', headers.OrderBy(static h => h.Key, StringComparer.Ordinal).Select(static h => $"{h.Key}={string.Join(';', h.Value.ToArray())}"))}";
    }
}
