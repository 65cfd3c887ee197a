using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace OpenPlatform.Bench.Compare;

/// <summary>One round of one contender.</summary>
internal sealed record Sample(double CpuMicroseconds, double PerSecond, double P99Microseconds);

/// <summary>Medians of a contender over all rounds, and system calls a request where strace could count them.</summary>
internal sealed record Row(string Name, double CpuMicroseconds, double PerSecond, double P99Microseconds, double? SystemCalls)
{
    /// <summary>CPU of each round ÷ CPU of the reference in the same round, the median of these: what the machine does meanwhile cancels out.</summary>
    public double Ratio { get; init; }
}

/// <summary>The comparison: all contenders started, then round after round a few seconds of load on each.</summary>
internal static class Comparison
{
    /// <summary>With every policy on.</summary>
    private const double MostOfPlainYarp = 0.9;

    private const string Path = "/orders/v1/orders";

    public static async Task<int> RunAsync(string[] args)
    {
        var rounds = Option(args, "--rounds", 5);
        var seconds = Option(args, "--seconds", 4);
        var connections = Option(args, "--connections", 64);
        var warm = Option(args, "--warm", 8);
        var only = args.SkipWhile(static a => a != "--only").Skip(1).FirstOrDefault()?.Split(',');
        var given = args.Zip(args.Skip(1)).Where(static pair => pair.First == "--with").Select(static pair => Bench.Variant(pair.Second)).ToArray();
        foreach (var program in (string[])["/usr/bin/wrk", "/usr/sbin/nginx", "/usr/bin/redis-server"])
        {
            if (!File.Exists(program))
            {
                Console.Error.WriteLine($"{program} is missing. Debian, Ubuntu: apt-get install wrk nginx-light redis-server haproxy caddy libnginx-mod-http-lua lua-nginx-redis strace");
                return 2;
            }
        }

        var folder = Directory.CreateTempSubdirectory("openplatform-bench-").FullName;
        var servers = new List<IDisposable>();
        try
        {
            var key = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
            int[] upstreams = [ServerProcess.FreePort(), ServerProcess.FreePort()];
            servers.Add(await Bench.UpstreamAsync(folder, upstreams));
            var redisPort = ServerProcess.FreePort();
            var redis = await ServerProcess.StartAsync(redisPort, "redis-server", ["--port", $"{redisPort}", "--bind", "127.0.0.1", "--save", "", "--dir", folder]);
            servers.Add(redis);
            await using var plane = new GatewayPlane(folder, upstreams, redis.Port, key);
            await plane.StartAsync();
            var bench = new Bench(folder, upstreams, redis.Port, key, plane);

            var running = new List<(Contender Contender, ServerProcess Server, List<Sample> Samples)>();
            foreach (var contender in Bench.Contenders.Where(c => only is null || c.Name is Bench.Reference or Bench.Gateway || only.Any(o => c.Name.Contains(o, StringComparison.Ordinal)))
                .Concat(args.Contains("--variants") ? Bench.Variants : []).Concat(given))
            {
                if (!contender.IsHere)
                {
                    Console.WriteLine($"left out, {contender.Needs} is missing: {contender.Name}");
                    continue;
                }

                var server = await contender.StartAsync(bench);
                servers.Add(server);
                running.Add((contender, server, []));
            }

            Console.WriteLine($"warming up {running.Count} servers");
            for (var i = 0; i < 2; i++)
            {
                foreach (var (contender, server, _) in running)
                {
                    var first = await Load.RunAsync(server.Port, Path, key, connections, warm); // until the JIT has made its last versions
                    if (first.Errors > 0)
                    {
                        throw new InvalidOperationException($"{contender.Name} answered {first.Errors} of {first.Requests} requests with an error.");
                    }
                }
            }

            for (var round = 1; round <= rounds; round++)
            {
                foreach (var (contender, server, samples) in running)
                {
                    var before = server.CpuSeconds();
                    var result = await Load.RunAsync(server.Port, Path, key, connections, seconds);
                    samples.Add(new((server.CpuSeconds() - before) * 1e6 / result.Requests, result.PerSecond, result.P99Microseconds));
                    Console.WriteLine($"{round}/{rounds} {contender.Name}: {samples[^1].CpuMicroseconds:0.0} µs CPU, {result.PerSecond:0} a second");
                }
            }

            var reference = running.Single(static r => r.Contender.Name == Bench.Reference).Samples;
            var rows = new List<Row>();
            foreach (var (contender, server, samples) in running)
            {
                rows.Add(new(contender.Name, Median(samples.Select(static s => s.CpuMicroseconds)), Median(samples.Select(static s => s.PerSecond)),
                    Median(samples.Select(static s => s.P99Microseconds)), await SystemCallsAsync(server, key))
                {
                    Ratio = Median(samples.Zip(reference, static (own, other) => own.CpuMicroseconds / other.CpuMicroseconds)),
                });
            }

            Console.WriteLine();
            Console.Write(Report.Table(rows));
            Console.WriteLine($"usage that came in: {plane.Units} units; metrics: {plane.Metrics} exports");
            if (args.Contains("--write"))
            {
                Report.Write(rows, $"{rounds} interleaved rounds of {seconds} s, {connections} connections");
            }

            return Bounds(rows) ? 0 : 1;
        }
        finally
        {
            servers.Reverse();
            servers.ForEach(static s => s.Dispose());
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>True when the gateway costs what docs/guarantees.md promises, as far as those it is compared with were there.</summary>
    private static bool Bounds(List<Row> rows)
    {
        var gateway = rows.Single(static r => r.Name == Bench.Gateway);
        var reference = rows.Single(static r => r.Name == Bench.Reference);
        (string Text, bool Holds)[] bounds =
        [
            ($"at most {MostOfPlainYarp} of plain YARP's CPU time", gateway.Ratio <= MostOfPlainYarp),
            ("less CPU time than nginx with Lua policies", rows.SingleOrDefault(static r => r.Name == Bench.NginxLua) is not { } lua || gateway.Ratio < lua.Ratio),
            ("no more system calls than plain YARP", !(gateway.SystemCalls > reference.SystemCalls)),
        ];
        foreach (var (text, holds) in bounds)
        {
            Console.WriteLine($"{(holds ? "holds" : "EXCEEDED")}: {text}");
        }

        return bounds.All(static b => b.Holds);
    }

    /// <summary>Counted by strace over 2 s of load on 16 connections; null where strace is missing or not allowed.</summary>
    private static async Task<double?> SystemCallsAsync(ServerProcess server, string key)
    {
        if (!File.Exists("/usr/bin/strace"))
        {
            return null;
        }

        using var strace = Process.Start(new ProcessStartInfo("strace", ["-f", "-c", "-q", .. server.Processes().SelectMany(static id => new[] { "-p", $"{id}" })])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
        })!;
        await Task.Delay(1000); // until it has attached to every thread
        var result = await Load.RunAsync(server.Port, Path, key, 16, 2);
        using (var interrupt = Process.Start("kill", ["-INT", $"{strace.Id}"]))
        {
            await interrupt.WaitForExitAsync();
        }

        var text = await strace.StandardError.ReadToEndAsync();
        await strace.WaitForExitAsync();
        var total = text.Split('\n').LastOrDefault(static l => l.TrimEnd().EndsWith(" total", StringComparison.Ordinal))?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return total is not { Length: > 4 } || result.Requests == 0 ? null : double.Parse(total[3], CultureInfo.InvariantCulture) / result.Requests;
    }

    private static int Option(string[] args, string name, int otherwise) =>
        args.SkipWhile(a => a != name).Skip(1).FirstOrDefault() is { } value ? int.Parse(value, CultureInfo.InvariantCulture) : otherwise;

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
