using System.Text;
using OpenPlatform.Gateway.Forwarding.Direct;

namespace OpenPlatform.Tests.Gateway.Forwarding.Direct;

public sealed class ChunkedAnswerTests
{
    private static readonly string[] Bodies =
    [
        "5\r\nhello\r\n0\r\n\r\n",
        "5;a=b\r\nhello\r\n6 \r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
        "1\r\na\r\n1\r\nb\r\n00000001\r\nc\r\n0\r\n\r\n",
    ];

    [Fact]
    public void The_data_is_the_same_wherever_the_bytes_are_cut()
    {
        foreach (var (body, data) in Bodies.Zip(["hello", "hello world", "abc"]))
        {
            Assert.Equal(data, Decode(body, [body.Length]));
            for (var cut = 1; cut < body.Length; cut++)
            {
                Assert.Equal(data, Decode(body, [cut, body.Length]));
            }

            Assert.Equal(data, Decode(body, [.. Enumerable.Range(1, body.Length)]));
        }
    }

    [Fact]
    public void Mutated_bodies_are_read_alike_however_cut_or_refused()
    {
        var random = new Random(5);
        var refused = 0;
        for (var round = 0; round < 5000; round++)
        {
            var text = new StringBuilder(Bodies[random.Next(Bodies.Length)]);
            text[random.Next(text.Length)] = "\r\n 0a;\0\t"[random.Next(8)];
            var whole = Decode(text.ToString(), [text.Length]);
            Assert.Equal(whole is "refused", Decode(text.ToString(), [.. Enumerable.Range(1, text.Length)]) is "refused");
            refused += whole is "refused" ? 1 : 0;
        }

        Assert.InRange(refused, 500, 4900);
    }

    private static string Decode(string body, int[] cuts)
    {
        var chunks = new ChunkedAnswer();
        var text = new StringBuilder();
        var pending = new List<byte>();
        var from = 0;
        try
        {
            foreach (var cut in cuts)
            {
                pending.AddRange(Encoding.Latin1.GetBytes(body[from..cut]));
                from = cut;
                byte[] bytes = [.. pending];
                var taken = chunks.Decode(bytes, out var data);
                text.Append(Encoding.Latin1.GetString(bytes, 0, data));
                pending.RemoveRange(0, taken);
            }
        }
        catch (InvalidDataException)
        {
            return "refused";
        }

        return chunks.IsDone ? text.ToString() : $"{text}, unfinished";
    }
}
