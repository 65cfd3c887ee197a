using OpenPlatform.Bench.Simulate;
using OpenPlatform.Tests.Hosting.Publishing;

namespace OpenPlatform.Tests.Bench.Simulate;

/// <summary>What is shipped under the three loads, and settings that must not be.</summary>
public sealed class SimulationTests
{
    private const double Quiet = 1000;

    private static readonly ScalingBehavior Up = new(0, ChooseMost: true, [new(true, 100, 15), new(false, 4, 15)]), AtOnce = new(0, ChooseMost: true, [new(true, 100, 15)]);

    [Theory]
    [InlineData("kubernetes", "diurnal")]
    [InlineData("kubernetes", "flash")]
    [InlineData("kubernetes", "zone")]
    [InlineData("aca", "diurnal")]
    [InlineData("aca", "flash")]
    [InlineData("aca", "zone")]
    public async Task What_is_shipped_neither_flaps_nor_sheds_the_top_plan(string target, string load)
    {
        var (gateway, backend) = await ShippedAsync(target);
        var result = new Simulation(SimulateCommand.Load(load, Quiet), gateway, backend, new()).Run();

        Assert.False(result.Flaps, $"{result.GatewayTurns} and {result.BackendTurns} changes of direction");
        Assert.Equal(0, result.ShedByPlan[0]);
        Assert.Equal(load == "flash", result.Moments.Max(static m => m.Backends) == backend.Max);
    }

    [Fact]
    public async Task What_is_simulated_is_what_the_AppHost_says()
    {
        var (gateway, backend) = await ShippedAsync("kubernetes");
        var bounds = (await Published.AppHostAsync("k8s")).Model.Service("gateway").Autoscale!;
        Assert.Equal((bounds.Min, bounds.Max, bounds.CpuPercent, 200), (gateway.Min, gateway.Max, gateway.CpuPercent, gateway.InFlight));
        Assert.Equal(0.25, backend.Cores);
        Assert.Null(backend.InFlight);
        Assert.Equal(300, gateway.Down.WindowSeconds);
        Assert.Equal((false, true), (gateway.ReplacesLost, backend.ReplacesLost));
        Assert.Equal([new(true, 10, 60), new(false, 1, 60)], gateway.Down.Policies);

        var (azure, _) = await ShippedAsync("aca");
        Assert.Equal((bounds.Min, bounds.Max, bounds.CpuPercent), (azure.Min, azure.Max, azure.CpuPercent));
        Assert.NotNull(azure.RequestsPerSecond);
    }

    [Fact]
    public void A_crowd_of_twenty_times_the_load_is_shed_from_the_lowest_plan_on_until_there_are_enough()
    {
        var result = Run(LoadCurve.Flash(Quiet), Settings(3, 12));
        Assert.Equal(0, result.ShedByPlan[0]);
        Assert.True(result.ShedByPlan[2] > 10 * result.ShedByPlan[1], "The free plan is shed before the standard one.");
        Assert.Contains(result.Moments, static m => m.Shed > 0);
        Assert.All(result.Moments.Where(static m => m.At is > 900 and < 1200), static m => Assert.Equal(0, m.Shed)); // five minutes later there are enough
        Assert.Equal(3, result.Moments[^1].Backends);
    }

    [Fact]
    public void Settings_that_come_down_at_once_flap_under_a_load_that_comes_and_goes_and_those_that_wait_do_not()
    {
        // Two minutes much, two minutes little, as a job of a partner makes it.
        var load = new LoadCurve("wave", LoadCurve.Hour, static t => t % 240 < 120 ? 12_000 : 2_000, static _ => [0.1, 0.3, 0.6]);
        var hasty = Run(load, Settings(3, 12) with { Down = AtOnce });
        Assert.True(hasty.Flaps, $"{hasty.BackendTurns} changes of direction");
        Assert.False(Run(load, Settings(3, 12)).Flaps);
    }

    [Fact]
    public void A_single_backend_sheds_the_top_plan_of_a_crowd()
    {
        var result = Run(LoadCurve.Flash(1.5 * Quiet), Settings(1, 12));
        Assert.True(result.TopIsShed);
        Assert.Equal("SHEDS THE TOP PLAN", SimulationReport.Verdict(result));
    }

    [Fact]
    public void Gateways_whose_own_CPU_is_used_up_lose_requests_of_every_plan()
    {
        var result = Run(LoadCurve.Flash(20 * Quiet), Settings(12, 12) with { Cores = 64 }); // the backend is not the limit
        Assert.True(result.TopIsShed);
        Assert.Contains(result.Moments, static m => m.Gateways > 3);
    }

    [Fact]
    public async Task The_command_draws_pictures_and_its_exit_code_is_the_verdict()
    {
        var folder = Directory.CreateTempSubdirectory("simulate-");
        try
        {
            var files = (await Published.AppHostAsync("k8s")).Files;
            Directory.CreateDirectory(Path.Combine(folder.FullName, "base"));
            File.WriteAllText(Path.Combine(folder.FullName, "base", "gateway.yaml"), files["base/gateway.yaml"]);
            File.WriteAllText(Path.Combine(folder.FullName, "base", "orders.yaml"), files["base/orders.yaml"]);
            string[] flash = ["--load", "flash", "--rate", "1500", "--published", folder.FullName, "--out", folder.FullName];
            Assert.Equal(0, await SimulateCommand.RunAsync(flash));
            Assert.Contains("</svg>", File.ReadAllText(Path.Combine(folder.FullName, "simulate-kubernetes-flash.svg")), StringComparison.Ordinal);

            File.WriteAllText(Path.Combine(folder.FullName, "base", "orders.yaml"), files["base/orders.yaml"].Replace("minReplicas: 3", "minReplicas: 1", StringComparison.Ordinal));
            Assert.Equal(1, await SimulateCommand.RunAsync(flash));
            Assert.Equal(2, await SimulateCommand.RunAsync(["--load", "avalanche", "--published", folder.FullName]));
            Assert.Equal(2, await SimulateCommand.RunAsync(["--laod", "flash"]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_lost_zone_is_made_up_for_when_its_nodes_are_given_up_but_not_where_volumes_belong_to_it()
    {
        var result = new Simulation(LoadCurve.Zone(Quiet), Settings(3, 30) with { Cores = 1, ReplacesLost = false }, Settings(3, 12), new()).Run();
        int Serving(double minute, Func<Moment, int> count) => count(result.Moments[(int)(minute * 60)]);
        Assert.Equal([3, 2, 3], new[] { 9d, 12, 17 }.Select(minute => Serving(minute, static m => m.BackendsServing)));
        Assert.Equal([3, 2, 2, 3], new[] { 9d, 12, 17, 42 }.Select(minute => Serving(minute, static m => m.GatewaysServing)));
    }

    [Fact]
    public void The_same_seed_gives_the_same_result()
    {
        var (one, two) = (Run(LoadCurve.Flash(Quiet), Settings(3, 12)), Run(LoadCurve.Flash(Quiet), Settings(3, 12)));
        Assert.Equal(one.Moments, two.Moments);
        Assert.Equal(SimulationReport.Chart("flash", one), SimulationReport.Chart("flash", two));
    }

    [Fact]
    public void A_recorded_load_is_read_and_a_wrong_line_is_named()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "seconds,rate,top\n# a comment\n100,10,0.5\n200,30\n");
            var load = LoadCurve.Recorded(file);
            Assert.Equal(100, load.Seconds);
            Assert.Equal([10, 20, 30], new[] { 0d, 50, 100 }.Select(load.RateAt));
            Assert.Equal([0.5, 1 / 6d, 1 / 3d], load.SharesAt(0).Select(static s => Math.Round(s, 12)).Zip([0.5, 1 / 6d, 1 / 3d], static (read, _) => read), static (a, b) => Math.Abs(a - b) < 1e-9);

            File.WriteAllText(file, "0,10\n60,much\n");
            Assert.Contains("line 2: 'much' is not a number", Assert.Throws<FormatException>(() => LoadCurve.Recorded(file)).Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static ScalingSettings Settings(int min, int max) => new(min, max, Cores: 0.25, CpuPercent: 70, InFlight: null, RequestsPerSecond: null, Up, new(300, ChooseMost: false, [new(true, 10, 60), new(false, 1, 60)]));

    private static SceneResult Run(LoadCurve load, ScalingSettings backend) => new Simulation(load, Settings(3, 30) with { Cores = 1, InFlight = 200 }, backend, new()).Run();

    private static async Task<(ScalingSettings Gateway, ScalingSettings Backend)> ShippedAsync(string target)
    {
        var files = (await Published.AppHostAsync(target == "aca" ? "azure" : "k8s")).Files;
        return target == "aca"
            ? (ShippedSettings.OfAzure(files["infra/gateway.bicep"]), ShippedSettings.OfAzure(files["infra/orders.bicep"]))
            : (ShippedSettings.OfKubernetes(files["base/gateway.yaml"]), ShippedSettings.OfKubernetes(files["base/orders.yaml"]));
    }
}
