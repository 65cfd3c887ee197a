using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Gateway.Framing;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>The guard by itself, read as Kestrel reads it: the same bytes get the same verdict however they arrive.</summary>
public sealed class GuardedReaderTests
{
    private const string Get = "GET /a HTTP/1.1\r\nHost: a\r\nX-Api-Key: k\r\n\r\n";
    private const string Post = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    private const string Chunked = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;e=1\r\nhello\r\nb\r\nhello world\r\n0\r\nX: y\r\n\r\n";

    private static readonly string[] Shapes =
    [
        Get + Get + Get,
        Post + Get + Chunked + Post + Get,
        Chunked + Chunked + Get,
        Get + Post + "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + Get,
        Post + "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Get,
        Get + "GET /a HTTP/1.1\nHost: a\n\n" + Get,
        Chunked[..^8] + "\n" + Get,
        Get + "\r\n" + Get,
        "GET /" + new string('a', 5000) + " HTTP/1.1\r\nHost: a\r\nX: " + new string('b', 9000) + "\r\n\r\n" + Get,
    ];

    [Fact]
    public async Task A_request_gets_the_same_verdict_wherever_its_bytes_are_cut()
    {
        foreach (var shape in Shapes)
        {
            var bytes = Encoding.Latin1.GetBytes(shape);
            var whole = await ReadAsync(bytes, []);
            for (var cut = 1; cut < Math.Min(bytes.Length, 600); cut++)
            {
                Assert.Equal(whole, await ReadAsync(bytes, [cut]));
            }

            Assert.Equal(whole, await ReadAsync(bytes, [.. Enumerable.Range(1, Math.Min(bytes.Length - 1, 600))]));
        }
    }

    [Fact]
    public async Task Mutated_requests_never_break_the_guard_and_keep_their_verdict_when_cut()
    {
        var random = new Random(7);
        byte[] interesting = [0, (byte)'\r', (byte)'\n', (byte)' ', (byte)':', (byte)'\t', (byte)',', (byte)'_', (byte)'0', (byte)'5', 0x7F, 0xFF];
        var refused = 0;
        for (var round = 0; round < 3000; round++)
        {
            var bytes = Encoding.Latin1.GetBytes(Shapes[random.Next(Shapes.Length - 1)]).ToList();
            for (var mutations = random.Next(1, 4); mutations > 0; mutations--)
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
            var whole = await ReadAsync(mutated, []);
            refused += whole.Contains("refused", StringComparison.Ordinal) ? 1 : 0;
            Assert.Equal(whole, await ReadAsync(mutated, [.. Enumerable.Range(0, 4).Select(_ => random.Next(1, mutated.Length)).Order().Distinct()]));
        }

        Assert.InRange(refused, 500, 2999);
    }

    [Fact]
    public void An_ordinary_head_is_checked_without_allocating()
    {
        var bytes = "GET /orders/v1/orders/42?a=b HTTP/1.1\r\nHost: api.example\r\nUser-Agent: x\r\nAccept: */*\r\nConnection: keep-alive\r\nX-Api-Key: k\r\n\r\n"u8.ToArray();
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
            {
                Assert.True(RequestHead.TryRead(bytes, out _));
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    /// <summary>What a server behind the guard sees: request lines and bodies, and how it ends.</summary>
    private static async Task<string> ReadAsync(byte[] bytes, int[] cuts)
    {
        var pipe = new Pipe(new(useSynchronizationContext: false));
        var reader = new GuardedReader(pipe.Reader);
        var seen = new StringBuilder();
        var from = 0;
        var reading = ServeAsync(reader, seen);
        foreach (var cut in cuts.Append(bytes.Length))
        {
            await pipe.Writer.WriteAsync(bytes.AsMemory(from, cut - from));
            from = cut;
        }

        await pipe.Writer.CompleteAsync();
        await reading;
        return seen.ToString();
    }

    private static async Task ServeAsync(GuardedReader reader, StringBuilder seen)
    {
        try
        {
            while (await ReadHeadAsync(reader) is { } head)
            {
                if (reader.IsRefused)
                {
                    seen.Append("refused");
                    return;
                }

                seen.Append(head.Split(' ')[0]);
                if (head.Contains("Content-Length", StringComparison.OrdinalIgnoreCase))
                {
                    seen.Append('+').Append(await ReadLengthAsync(reader, reader.Request.BodyLength));
                }
                else if (reader.Request.Framing == BodyFraming.Chunked)
                {
                    seen.Append('+').Append(await ReadChunksAsync(reader));
                }

                seen.Append(';');
            }

            seen.Append("end");
        }
        catch (Exception e) when (e is BadHttpRequestException or EndOfStreamException)
        {
            seen.Append(e.GetType().Name);
        }
    }

    private static async Task<string?> ReadHeadAsync(GuardedReader reader)
    {
        while (true)
        {
            var result = await reader.ReadAsync();
            var text = Encoding.Latin1.GetString(result.Buffer.ToArray());
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                reader.AdvanceTo(result.Buffer.GetPosition(end + 4));
                return text[..end];
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            if (result.IsCompleted)
            {
                return null;
            }
        }
    }

    private static async Task<int> ReadLengthAsync(GuardedReader reader, long length)
    {
        for (var left = length; left > 0;)
        {
            var result = await reader.ReadAsync();
            var count = Math.Min(left, result.Buffer.Length);
            reader.AdvanceTo(result.Buffer.GetPosition(count));
            left -= count;
            if (left > 0 && result.IsCompleted)
            {
                throw new EndOfStreamException();
            }
        }

        return (int)length;
    }

    /// <summary>As lenient as can be: the guard is the strict one. Sizes, data, trailers until an empty line.</summary>
    private static async Task<int> ReadChunksAsync(GuardedReader reader)
    {
        var total = 0;
        while (true)
        {
            var line = await ReadLineAsync(reader);
            var size = Convert.ToInt32(line.Split(';')[0], 16);
            if (size == 0)
            {
                while ((await ReadLineAsync(reader)).Length > 0)
                {
                }

                return total;
            }

            total += await ReadLengthAsync(reader, size);
            await ReadLineAsync(reader);
        }
    }

    private static async Task<string> ReadLineAsync(GuardedReader reader)
    {
        while (true)
        {
            var result = await reader.ReadAsync();
            var text = Encoding.Latin1.GetString(result.Buffer.ToArray());
            var end = text.IndexOf("\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                reader.AdvanceTo(result.Buffer.GetPosition(end + 2));
                return text[..end];
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
            if (result.IsCompleted)
            {
                throw new EndOfStreamException();
            }
        }
    }
}
