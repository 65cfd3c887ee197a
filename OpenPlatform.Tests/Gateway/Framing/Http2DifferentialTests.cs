using System.Text;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>
/// The same as <see cref="DifferentialTests"/> for clients of HTTP/2 without TLS: every shape of <c>corpus-http2.tsv</c>, frame by frame, through the gateway to
/// servers of others that are asked in HTTP/1. A request of ours follows each shape on the same connection. <c>OPENPLATFORM_WRITE_CORPUS=1</c> writes the
/// fourth column anew, for review.
/// </summary>
public sealed class Http2DifferentialTests
{
    private static readonly string Corpus = Path.Combine(Repository.Root, "OpenPlatform.Tests", "Gateway", "Framing", "corpus-http2.tsv");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_two_servers_read_what_the_gateway_makes_of_HTTP2_differently()
    {
        var shapes = File.ReadAllLines(Corpus).Select(static line => line.Split('\t')).ToArray();
        Assert.True(shapes.Length >= 40);
        var lanes = new List<ServerLane>();
        try
        {
            foreach (var server in DifferentialTests.Servers)
            {
                lanes.Add(await ServerLane.StartAsync(server));
            }

            await using var catalog = await TestCatalog.StartAsync(DifferentialTests.Snapshot(lanes));
            await using var gateway = await GatewayHost.StartAsync(catalog);
            var results = await Task.WhenAll(lanes.Select(lane => Task.Run(() => RunAsync(lane, gateway.ClientOptions.BaseAddress.Port, shapes))));

            if (Environment.GetEnvironmentVariable("OPENPLATFORM_WRITE_CORPUS") == "1")
            {
                await File.WriteAllLinesAsync(Corpus, shapes.Select((shape, i) => string.Join('\t', [.. shape[..3], results[0][i]])), new UTF8Encoding(false), Stop);
            }

            var differences =
                from lane in Enumerable.Range(0, lanes.Count)
                from i in Enumerable.Range(0, shapes.Length)
                let expected = shapes[i].Length > 3 ? shapes[i][3] : results[0][i]
                where results[lane][i] != expected
                select $"{lanes[lane].Name}, {shapes[i][0]}: {shapes[i][1]}: {results[lane][i]} instead of {expected}";
            Assert.True(!differences.Any(), string.Join('\n', differences));
        }
        finally
        {
            foreach (var lane in lanes)
            {
                await lane.DisposeAsync();
            }
        }
    }

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
