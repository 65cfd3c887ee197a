using OpenPlatform.Tests.Gateway.Forwarding.Direct;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>A client of HTTP/2 that never ends what it begins is left, soon, and others do not notice.</summary>
public sealed class Http2FloodTests
{
    private const int MostBytes = 16 << 20;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("requests that are reset at once (CVE-2023-44487)", "headers:end:stream=next {get} / reset:stream=same #00000008", "closed")]
    [InlineData("a head without an end (CVE-2024-27316)", "headers:part:end {get}", "goaway", "continuation:part x-a={large}")]
    [InlineData("a large field from the table again and again", "headers:part:end {get}|{indexed}", "goaway", "continuation:part {again}")]
    public async Task It_is_ended_and_others_are_served(string what, string flood, string ends, string? goesOn = null)
    {
        Assert.NotEmpty(what);
        await using var backend = RawBackend.Start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var other = gateway.Client();
        using var wire = await Http2Wire.ConnectAsync(gateway.ClientOptions.BaseAddress.Port, Stop);
        var reading = wire.ReadUntilEndedAsync([int.MaxValue], Stop); // a stream that never begins: until the connection ends
        var sent = 0;
        for (var stream = 1; !wire.HasEnded; stream += 2)
        {
            var frames = Http2Frames.Of(Text(stream == 1 || goesOn is null ? flood : goesOn, stream), "/orders/v1/orders?a=").Bytes;
            Assert.True((sent += frames.Length) < MostBytes, $"not ended after {sent} bytes");
            await wire.SendAsync(frames, Stop);
            if (stream % 400 == 1)
            {
                Assert.Equal("", await other.GetStringAsync("/orders/v1/orders", Stop));
            }
        }

        await reading;
        TestContext.Current.TestOutputHelper?.WriteLine($"{wire.Outcome} after {sent} bytes; {backend.Requests.Count} requests reached the backend");
        Assert.Contains(ends, wire.Outcome, StringComparison.Ordinal);
        Assert.Equal("", await other.GetStringAsync("/orders/v1/orders", Stop));
    }

    private static string Text(string frames, int stream) => frames.Replace("=next", $"={stream}", StringComparison.Ordinal).Replace("=same", $"={stream}", StringComparison.Ordinal)
        .Replace("{large}", new string('x', 10_000), StringComparison.Ordinal)
        .Replace("{indexed}", "#4001617fa11e" + string.Concat(Enumerable.Repeat("62", 4000)), StringComparison.Ordinal) // a: 4,000 times b, from now on index 62
        .Replace("{again}", string.Join('|', Enumerable.Repeat("#be", 1000)), StringComparison.Ordinal);
}
