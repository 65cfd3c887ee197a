using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>
/// Sends every shape of <c>corpus.tsv</c> through the gateway to servers of others and compares what each of them understood with the
/// fourth column: the statuses the client saw, and the requests. A request of ours follows each shape on the same connection, so
/// that nobody's end can be mistaken. <c>OPENPLATFORM_WRITE_CORPUS=1</c> writes the column anew, for review.
/// </summary>
public sealed partial class DifferentialTests
{
    internal static readonly string[] Servers = ["kestrel", "nginx", "haproxy", "apache2", "lighttpd", "node"];
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    private static readonly string[] Templates = ["/", "/echo", "/echo/{a}", "/echo/{a}/{b}", "/end", "/smuggled"];
    private static readonly string Corpus = Path.Combine(Repository.Root, "OpenPlatform.Tests", "Gateway", "Framing", "corpus.tsv");

    [Fact]
    public async Task No_two_servers_read_what_the_gateway_forwards_differently()
    {
        var shapes = File.ReadAllLines(Corpus).Select(static line => line.Split('\t')).ToArray();
        Assert.True(shapes.Length >= 200);
        var lanes = new List<ServerLane>();
        try
        {
            foreach (var server in Servers)
            {
                lanes.Add(await ServerLane.StartAsync(server));
            }

            await using var catalog = await TestCatalog.StartAsync(Snapshot(lanes));
            await using var gateway = await GatewayHost.StartAsync(catalog);
            var results = await Task.WhenAll(lanes.Select(lane => Task.Run(() => RunAsync(lane, gateway.ClientOptions.BaseAddress.Port, shapes))));

            if (Environment.GetEnvironmentVariable("OPENPLATFORM_WRITE_CORPUS") == "1")
            {
                await File.WriteAllLinesAsync(Corpus, shapes.Select((shape, i) => string.Join('\t', [.. shape[..3], results[0][i]])), new UTF8Encoding(false));
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
            var answer = await SendAsync(port, Bytes(shapes[i][2] + @"GET {base}/end HTTP/1.1\r\nHost: api.example\r\nX-Api-Key: {key}\r\nConnection: close\r\n\r\n", lane.BasePath));
            var statuses = string.Join(',', StatusLine().Matches(answer).Select(static m => m.Groups["status"].Value).Where(static s => s != "100"));
            results[i] = $"{statuses}: {string.Join("; ", lane.Understood)}".TrimEnd();
        }

        return results;
    }

    private static async Task<string> SendAsync(int port, byte[] bytes)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, timeout.Token);
        var answer = new StringBuilder();
        try
        {
            await client.GetStream().WriteAsync(bytes, timeout.Token);
            var buffer = new byte[16 << 10];
            for (int count; (count = await client.GetStream().ReadAsync(buffer, timeout.Token)) > 0;)
            {
                answer.Append(Encoding.Latin1.GetString(buffer, 0, count));
            }
        }
        catch (IOException)
        {
            // The gateway does not read what follows a refused request.
        }
        catch (OperationCanceledException)
        {
            return "HTTP/1.1 999"; // still open: nobody may wait for more
        }

        return answer.ToString();
    }

    internal static byte[] Bytes(string shape, string basePath)
    {
        var text = shape.Replace("{base}", basePath, StringComparison.Ordinal).Replace("{key}", TestSnapshot.Key, StringComparison.Ordinal)
            .Replace("{long}", new string('x', 60_000), StringComparison.Ordinal);
        return Encoding.Latin1.GetBytes(Escape().Replace(text, static m => m.Value switch
        {
            @"\r" => "\r",
            @"\n" => "\n",
            @"\t" => "\t",
            @"\\" => "\\",
            _ => ((char)Convert.ToByte(m.Groups["hex"].Value, 16)).ToString(),
        }));
    }

    internal static Snapshot Snapshot(List<ServerLane> lanes)
    {
        var template = TestSnapshot.Create([]);
        var operations = (from path in Templates from method in Methods select new OperationModel(method + path, method, path)).ToArray();
        return template with
        {
            Backends = [.. lanes.Select(static (lane, i) => new BackendModel(Id(1, i), lane.Name, null, [lane.Address]))],
            Apis = [.. lanes.Select((lane, i) => new ApiModel(Id(2, i), lane.Name, "v1", Id(3, i), 1, lane.BasePath, Id(1, i), operations))],
            Subscriptions = [.. lanes.Select(static (_, i) => new SubscriptionModel(Id(4, i), TestSnapshot.Subscriber, Id(3, i), TestSnapshot.PlanId))],
        };

        static Guid Id(int kind, int number) => Guid.Parse($"c{kind}000000-0000-0000-0000-{number:D12}");
    }

    [GeneratedRegex("(?<=^|\n)HTTP/1.1 (?<status>[0-9]{3})|^HTTP/1.1 (?<status>[0-9]{3})|(?<=})HTTP/1.1 (?<status>[0-9]{3})", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex StatusLine();

    [GeneratedRegex(@"\\(x(?<hex>[0-9a-f]{2})|r|n|t|\\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Escape();
}
