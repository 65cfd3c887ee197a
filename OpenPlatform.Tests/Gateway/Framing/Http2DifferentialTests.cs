namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>
/// The same as <see cref="DifferentialTests"/> for clients of HTTP/2 without TLS: every shape of <c>corpus-http2.tsv</c>, frame by frame, through the gateway to
/// servers of others that are asked in HTTP/1. A request of ours follows each shape on the same connection.
/// </summary>
public sealed class Http2DifferentialTests
{
    [Fact]
    public Task No_two_servers_read_what_the_gateway_makes_of_HTTP2_differently() => FramingCorpus.CompareAsync("corpus-http2.tsv", least: 223, RunAsync);

    private static async Task<string[]> RunAsync(ServerLane lane, int port, string[][] shapes)
    {
        var results = new string[shapes.Length];
        for (var i = 0; i < shapes.Length; i++)
        {
            lane.Understood.Clear();
            using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            using var wire = await Http2Wire.ConnectAsync(port, timeout.Token);
            var frames = Http2Frames.Of(shapes[i][2], lane.BasePath);
            try
            {
                await wire.SendAsync(frames.Bytes, timeout.Token);
                await wire.ReadUntilEndedAsync(frames.Streams, timeout.Token);
                if (!wire.HasEnded)
                {
                    var end = Http2Frames.Of("headers:end {end}", lane.BasePath, frames.Streams.Append(-1).Max() + 2);
                    await wire.SendAsync(end.Bytes, timeout.Token);
                    await wire.ReadUntilEndedAsync(end.Streams, timeout.Token);
                }
            }
            catch (OperationCanceledException)
            {
                results[i] = "open"; // nobody may wait for more
                continue;
            }

            results[i] = $"{wire.Outcome}: {Understood(lane)}".TrimEnd();
        }

        return results;
    }

    /// <summary>Two streams have no order between them; ours comes last.</summary>
    private static string Understood(ServerLane lane) => string.Join("; ", lane.Understood
        .OrderBy(static request => request.Contains("/end", StringComparison.Ordinal)).ThenBy(static request => request, StringComparer.Ordinal));
}
