using OpenPlatform.Gateway.Resilience;

namespace OpenPlatform.Tests.Gateway.Resilience;

public sealed class ReplayBodyTests
{
    [Fact]
    public async Task Whatever_was_read_of_it_the_next_reading_begins_at_the_start()
    {
        var random = new Random(17);
        for (var round = 0; round < 500; round++)
        {
            var bytes = new byte[random.Next(0, 20_000)];
            random.NextBytes(bytes);
            await using var body = new ReplayBody(new Trickle(bytes, random), max: 10_000);
            for (var again = 0; again < 3; again++)
            {
                var stopAt = again == 2 ? int.MaxValue : random.Next(0, 25_000);
                var read = await ReadAsync(body, stopAt, random);
                Assert.True(bytes.AsSpan(0, read.Length).SequenceEqual(read));
                Assert.Equal(read.Length <= 10_000, body.CanReplay);
                if (!body.CanReplay)
                {
                    break;
                }

                Assert.True(stopAt < int.MaxValue || read.Length == bytes.Length);
                body.Rewind();
            }
        }
    }

    private static async Task<byte[]> ReadAsync(Stream body, int stopAt, Random random)
    {
        var read = new MemoryStream();
        var buffer = new byte[4096];
        while (read.Length < stopAt)
        {
            Assert.Equal(0, await body.ReadAsync(Memory<byte>.Empty)); // as forwarders do, to wait without a buffer
            var count = await body.ReadAsync(buffer.AsMemory(0, random.Next(1, buffer.Length)));
            if (count == 0)
            {
                break;
            }

            read.Write(buffer, 0, count);
        }

        return read.ToArray();
    }

    /// <summary>Gives less than it is asked for.</summary>
    private sealed class Trickle(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer.IsEmpty ? buffer : buffer[..random.Next(1, buffer.Length + 1)], cancellationToken);
    }
}
