using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Framing;

/// <summary>
/// Sends every shape of <c>corpus.tsv</c> through the gateway to servers of others and compares what each of them understood with the
/// fourth column: the statuses the client saw, and the requests. A request of ours follows each shape on the same connection, so
/// that nobody's end can be mistaken.
/// </summary>
public sealed partial class DifferentialTests
{
    [Fact]
    public Task No_two_servers_read_what_the_gateway_forwards_differently() => FramingCorpus.CompareAsync("corpus.tsv", least: 200, RunAsync);

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

    [GeneratedRegex("(?<=^|\n)HTTP/1.1 (?<status>[0-9]{3})|^HTTP/1.1 (?<status>[0-9]{3})|(?<=})HTTP/1.1 (?<status>[0-9]{3})", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex StatusLine();

    [GeneratedRegex(@"\\(x(?<hex>[0-9a-f]{2})|r|n|t|\\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Escape();
}
