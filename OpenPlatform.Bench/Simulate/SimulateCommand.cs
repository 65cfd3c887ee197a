using System.Diagnostics;
using System.Globalization;

namespace OpenPlatform.Bench.Simulate;

/// <summary>The command: settings out of the published files, a load or three, a table, pictures and a verdict.</summary>
internal static class SimulateCommand
{
    public const string Help = """
        simulate [--load diurnal|flash|zone|FILE.csv] [--target kubernetes|aca] [--rate 1000] [--out FOLDER] [--published FOLDER]
              how the published scaling rules answer a load: replicas, latency, what is shed and what it costs. Without --load all three: a day, a crowd of twenty
              times the load, a lost zone. FILE: lines of seconds,requests per second[,share of the top plan[,share of the next]].
              --rate: requests per second of a quiet hour. --out: pictures (SVG). --published: what the AppHost published for that target; otherwise it is published first.
              --start-seconds 20, --backend-micros 100, --backend-wait-ms 20, --gateway-micros 30.8, --seed 1: what docs/operations/scale.md says of them.
              Ends with 1 when replicas flap or the top plan is shed.
        """;

    private static readonly string[] Options = ["--load", "--target", "--rate", "--out", "--published", "--start-seconds", "--backend-micros", "--backend-wait-ms", "--gateway-micros", "--seed"];

    private static readonly string[] Names = ["diurnal", "flash", "zone"];

    public static async Task<int> RunAsync(string[] args)
    {
        if (args.Contains("--help") || args.Contains("-h"))
        {
            Console.WriteLine(Help);
            return 0;
        }

        try
        {
            if (args.Chunk(2).FirstOrDefault(static pair => pair.Length < 2 || !Options.Contains(pair[0])) is { } wrong)
            {
                throw new FormatException($"'{string.Join(' ', wrong)}' is not understood; see --help.");
            }

            var target = Option(args, "--target") ?? "kubernetes";
            var (gateway, backend) = await SettingsAsync(target, Option(args, "--published"));
            var inputs = new Inputs();
            inputs = inputs with
            {
                StartSeconds = Number(args, "--start-seconds", inputs.StartSeconds),
                BackendCpuMicroseconds = Number(args, "--backend-micros", inputs.BackendCpuMicroseconds),
                BackendWaitMilliseconds = Number(args, "--backend-wait-ms", inputs.BackendWaitMilliseconds),
                GatewayCpuMicroseconds = Number(args, "--gateway-micros", inputs.GatewayCpuMicroseconds),
                Seed = (int)Number(args, "--seed", inputs.Seed),
            };
            var loads = (Option(args, "--load") is { } one ? [one] : Names).Select(name => Load(name, Number(args, "--rate", 1000))).ToArray();
            var results = loads.Select(load => (load, new Simulation(load, gateway, backend, inputs).Run())).ToArray();
            Console.Write(SimulationReport.Table(results));
            if (Option(args, "--out") is { } folder)
            {
                Directory.CreateDirectory(folder);
                foreach (var (load, result) in results)
                {
                    var file = Path.Combine(folder, $"simulate-{target}-{load.Name}.svg");
                    await File.WriteAllTextAsync(file, SimulationReport.Chart($"{load.Name}, {target}", result));
                    Console.WriteLine($"wrote {file}");
                }
            }

            return results.Any(static r => r.Item2.Flaps || r.Item2.TopIsShed) ? 1 : 0;
        }
        catch (Exception error) when (error is FormatException or IOException or InvalidOperationException)
        {
            Console.Error.WriteLine($"error: {error.Message}");
            return 2;
        }
    }

    public static LoadCurve Load(string name, double rate) => name switch
    {
        "diurnal" => LoadCurve.Diurnal(rate),
        "flash" => LoadCurve.Flash(rate),
        "zone" => LoadCurve.Zone(rate),
        _ when File.Exists(name) => LoadCurve.Recorded(name),
        _ => throw new FormatException($"There is no load and no file '{name}'. Loads: {string.Join(", ", Names)}."),
    };

    private static async Task<(ScalingSettings Gateway, ScalingSettings Backend)> SettingsAsync(string target, string? published)
    {
        var (environment, files) = target switch
        {
            "kubernetes" => ("k8s", "base/{0}.yaml"),
            "aca" => ("azure", "infra/{0}.bicep"),
            _ => throw new FormatException($"--target '{target}' is not simulated. Targets: kubernetes, aca."),
        };
        var folder = published ?? await PublishAsync(environment);
        try
        {
            var of = target == "aca" ? (Func<string, ScalingSettings>)ShippedSettings.OfAzure : ShippedSettings.OfKubernetes;
            ScalingSettings Read(string service) => of(File.ReadAllText(Path.Combine(folder, string.Format(CultureInfo.InvariantCulture, files, service))));
            return (Read("gateway"), Read("orders"));
        }
        finally
        {
            if (published is null)
            {
                Directory.Delete(Path.GetDirectoryName(folder)!, recursive: true);
            }
        }
    }

    /// <summary>The AppHost of this checkout writes its files, as whoever deploys it would have it do.</summary>
    private static async Task<string> PublishAsync(string environment)
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "OpenPlatform.sln")))
        {
            root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("There is no checkout above this program: name what was published with --published.");
        }

        var output = Directory.CreateTempSubdirectory("openplatform-simulate-").FullName;
        using var publish = Process.Start(new ProcessStartInfo("dotnet", ["run", "--project", Path.Combine(root, "OpenPlatform.AppHost"), "--", "--operation", "publish", "--step", "publish", "--environment-name", environment, "--output-path", output])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var errors = publish.StandardError.ReadToEndAsync();
        var said = await publish.StandardOutput.ReadToEndAsync();
        await publish.WaitForExitAsync();
        return publish.ExitCode == 0 ? Path.Combine(output, environment) : throw new InvalidOperationException($"The AppHost did not publish '{environment}': {said}{await errors}");
    }

    private static string? Option(string[] args, string name) => args.SkipWhile(a => a != name).Skip(1).FirstOrDefault();

    private static double Number(string[] args, string name, double otherwise) => Option(args, name) is not { } text ? otherwise
        : double.TryParse(text, CultureInfo.InvariantCulture, out var value) && value > 0 ? value
        : throw new FormatException($"{name} '{text}' is not a number above 0.");
}
