using System.Text;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>Shapes of requests in a file, a line each: group, what it is, the shape, and what must come of it at every server behind the gateway.</summary>
internal static class FramingCorpus
{
    private static readonly string[] Servers = ["kestrel", "nginx", "haproxy", "apache2", "lighttpd", "node"];
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    private static readonly string[] Templates = ["/", "/echo", "/echo/{a}", "/echo/{a}/{b}", "/end", "/smuggled"];

    /// <summary>Sends every shape through the gateway to servers of others and compares what came of it with the fourth column. <c>OPENPLATFORM_WRITE_CORPUS=1</c> writes the column anew, for review.</summary>
    /// <param name="least">Shapes that the file must have.</param>
    /// <param name="run">Sends the shapes to one server by way of the gateway at a port, and says what came of each.</param>
    public static async Task CompareAsync(string file, int least, Func<ServerLane, int, string[][], Task<string[]>> run)
    {
        var corpus = Path.Combine(Repository.Root, "OpenPlatform.Tests", "Gateway", "Framing", file);
        var shapes = File.ReadAllLines(corpus).Select(static line => line.Split('\t')).ToArray();
        Assert.True(shapes.Length >= least);
        var lanes = new List<ServerLane>();
        try
        {
            foreach (var server in Servers)
            {
                lanes.Add(await ServerLane.StartAsync(server));
            }

            await using var catalog = await TestCatalog.StartAsync(Snapshot(lanes));
            await using var gateway = await GatewayHost.StartAsync(catalog);
            var results = await Task.WhenAll(lanes.Select(lane => Task.Run(() => run(lane, gateway.ClientOptions.BaseAddress.Port, shapes))));

            if (Environment.GetEnvironmentVariable("OPENPLATFORM_WRITE_CORPUS") == "1")
            {
                await File.WriteAllLinesAsync(corpus, shapes.Select((shape, i) => string.Join('\t', [.. shape[..3], results[0][i]])), new UTF8Encoding(false));
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

    private static Snapshot Snapshot(List<ServerLane> lanes)
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
}
