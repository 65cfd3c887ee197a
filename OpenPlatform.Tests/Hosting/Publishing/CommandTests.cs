using System.Diagnostics;
using System.Text;
using Aspire.Hosting;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>The commands that write deployments, as a person gives them.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("publish-");
    private string Output => Path.Combine(_folder.FullName, "out");
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Every_environment_is_written_without_a_container_engine_a_Postgres_or_a_Redis()
    {
        var (exitCode, said) = await AppHostAsync("--operation", "publish", "--step", "publish", "--output-path", Output);

        Assert.True(exitCode == 0, said);
        Assert.Contains("Write Kubernetes files of 'k8s'", said, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Output, "k8s", "base", "kustomization.yaml")));
        Assert.True(File.Exists(Path.Combine(Output, "k8s", "chart", "Chart.yaml")));
        Assert.True(File.Exists(Path.Combine(Output, "k8s", "monitoring", "alerts.yaml")));
        Assert.True(File.Exists(Path.Combine(Output, "compose", "compose.yaml")));
        Assert.True(File.Exists(Path.Combine(Output, "azure", "azure.yaml")));
        Assert.True(File.Exists(Path.Combine(Output, "azure", "infra", "main.bicep")));
        Assert.False(Directory.Exists(Cache), "Something was fetched.");
    }

    [Fact]
    public async Task The_manifest_publisher_writes_the_file_it_is_given()
    {
        var file = Path.Combine(Output, "manifest.json");
        var (exitCode, said) = await AppHostAsync("--publisher", "manifest", "--output-path", file);

        Assert.True(exitCode == 0, said);
        Assert.Contains("\"type\": \"project.v0\"", await File.ReadAllTextAsync(file, Stop), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_names_the_commands_and_the_environments_and_runs_nothing()
    {
        var (exitCode, said) = await AppHostAsync("--help");

        Assert.Equal(0, exitCode);
        Assert.All(["--output-path", "--environment-name", "--publisher manifest", "aspire publish", "k8s (Kubernetes)", "compose (Docker Compose)", "azure (Azure Container Apps)", "--Kubernetes:Postgres=StatefulSet|CloudNativePg|Managed", "--Kubernetes:StorageClass=TEXT", "--Compose:EdgeImage="], part => Assert.Contains(part, said, StringComparison.Ordinal));
        Assert.False(Directory.Exists(Cache));
    }

    [Fact]
    public async Task Publishing_twice_writes_the_same_bytes_and_no_secret()
    {
        var first = await PublishShopAsync("a", "--Parameters:api-token=HIDDEN-api-token", "--Parameters:db-password=HIDDEN-db-password");
        var second = await PublishShopAsync("b", "--Parameters:api-token=ANOTHER-api-token");

        Assert.NotEmpty(first);
        Assert.Equal(first, second);
        Assert.DoesNotContain(first, file => file.Value.Contains("HIDDEN", StringComparison.Ordinal));
        Assert.Contains(first, file => file.Value.Contains("--from-literal=api-token=", StringComparison.Ordinal));
        Assert.All(["k8s/", "compose/", "azure/"], target => Assert.Contains(first.Keys, path => path.StartsWith(target, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(new[] { "--environment-name", "k9s" }, "--environment-name 'k9s' is unknown. Environments of this AppHost: k8s, compose, azure, edge.")]
    [InlineData(new[] { "--Kubernetes:Postgres=Oracle" }, "--Kubernetes:Postgres cannot be 'Oracle'. It is one of: StatefulSet, CloudNativePg, Managed.")]
    [InlineData(new[] { "--Kubernetes:Postgres=1" }, "--Kubernetes:Postgres cannot be '1'.")]
    [InlineData(new[] { "--Kubernetes:Postgers=Managed" }, "--Kubernetes:Postgers is no option. There are: Postgres, Redis,")]
    [InlineData(new[] { "--Compose:Proxy=nginx" }, "--Compose:Proxy is no option. There are: EdgeImage, DashboardImage.")]
    public async Task What_is_wrong_is_told(string[] args, string message)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => PublishShopAsync("out", args));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--Kubernetes:Postgres=Oracle", "error: --Kubernetes:Postgres cannot be 'Oracle'")]
    [InlineData("--publisher=kubernetes", "error: --publisher 'kubernetes' is unknown")]
    [InlineData("--step=deploy", "error: --step 'deploy' is unknown")]
    public async Task A_mistake_is_one_line_and_exit_code_1_and_writes_nothing(string mistake, string message)
    {
        var (exitCode, said) = await AppHostAsync("--operation", "publish", "--output-path", Output, mistake);

        Assert.True(exitCode == 1, said);
        Assert.Contains(message, said, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Output));
    }

    [Fact]
    public async Task One_environment_can_be_chosen()
    {
        var files = await PublishShopAsync("out", "--environment-name", "edge");
        Assert.All(files.Keys, path => Assert.StartsWith("edge/", path, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_missing_parameter_is_an_error_that_names_it_where_nobody_can_be_asked()
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => PublishShopAsync("out", shop => shop.Api.WithEnvironment("REGION", shop.Builder.AddParameter("region")))
            .WaitAsync(TimeSpan.FromSeconds(30), Stop));
        Assert.Contains("'region' has no value: set the configuration key 'Parameters:region'", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(Output, "k8s")), "Half of it was written.");
    }

    [Fact]
    public async Task A_value_that_is_given_is_written_and_one_that_is_generated_becomes_a_secret()
    {
        var files = await PublishShopAsync("out", shop => shop.Api
            .WithEnvironment("REGION", shop.Builder.AddParameter("region"))
            .WithEnvironment("SALT", shop.Builder.AddParameter("salt", new GenerateParameterDefault { MinLength = 22 })), "--Parameters:region=west");
        Assert.Contains("REGION: west", files["k8s/base/api.yaml"], StringComparison.Ordinal);
        Assert.Contains("key: salt", files["k8s/base/api.yaml"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a-name-that-is-far-too-long-for-what-kubernetes-makes-of-it", "too long for a StatefulSet of Kubernetes")]
    [InlineData("ingress", "the chart uses that word")]
    public async Task A_name_that_the_target_cannot_take_is_an_error_before_anything_is_written(string name, string message)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => PublishShopAsync("out", shop => shop.Builder.AddContainer(name, "nginx", "1.29").WithVolume("v", "/v")));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(Output, "k8s")));
    }

    [Fact]
    public async Task What_cannot_be_deployed_is_named()
    {
        var program = await Assert.ThrowsAnyAsync<Exception>(() => PublishShopAsync("out", shop => shop.Builder.AddExecutable("tool", "tool", ".")));
        Assert.Contains("'tool' is a program of this machine", program.Message, StringComparison.Ordinal);
        var folder = await Assert.ThrowsAnyAsync<Exception>(() => PublishShopAsync("out", shop => shop.Builder.AddContainer("web", "nginx").WithBindMount("/srv", "/srv")));
        Assert.Contains("'web' mounts the folder '/srv' of this machine", folder.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_no_longer_written_goes_and_what_somebody_added_stays()
    {
        await PublishShopAsync("out");
        var own = Path.Combine(Output, "k8s", "base", "mine.yaml");
        await File.WriteAllTextAsync(own, "mine", Stop);
        var list = Path.Combine(Output, "k8s", ".published");
        await File.AppendAllLinesAsync(list, ["base/retired.yaml", "../../outside.txt"], Stop);
        await File.WriteAllTextAsync(Path.Combine(Output, "k8s", "base", "retired.yaml"), "old", Stop);
        var outside = Path.Combine(_folder.FullName, "outside.txt");
        await File.WriteAllTextAsync(outside, "not ours", Stop);

        await PublishShopAsync("out");

        Assert.True(File.Exists(own));
        Assert.False(File.Exists(Path.Combine(Output, "k8s", "base", "retired.yaml")));
        Assert.True(File.Exists(outside));
    }

    [Fact]
    public async Task On_a_terminal_a_missing_parameter_is_asked_for()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || !File.Exists("/usr/bin/script"), "Needs the program script, which lends a terminal.");
        var program = Path.Combine(_folder.FullName, "ask");
        Directory.CreateDirectory(program);
        var library = typeof(DistributedApplication).Assembly.Location;
        await File.WriteAllTextAsync(Path.Combine(program, "Ask.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework></PropertyGroup>
              <ItemGroup><FrameworkReference Include="Microsoft.AspNetCore.App" /><Reference Include="OpenPlatform.Hosting" HintPath="{library}" /></ItemGroup>
            </Project>
            """, Stop);
        await File.WriteAllTextAsync(Path.Combine(program, "Program.cs"), """
            using Aspire.Hosting;
            var builder = DistributedApplication.CreateBuilder(args);
            builder.AddContainer("web", "nginx", "1.29").WithEnvironment("REGION", builder.AddParameter("region"));
            builder.AddKubernetesEnvironment("k8s");
            builder.Build().Run();
            """, Stop);
        var (built, log) = await RunAsync("dotnet", ["build", program, "-v", "q", "--nologo", "-o", Path.Combine(program, "bin")], start => start.Environment["MSBUILDDISABLENODEREUSE"] = "1");
        Assert.True(built == 0, log);

        var (exitCode, said) = await RunAsync("script", ["-qec", $"dotnet {program}/bin/Ask.dll --operation publish --step publish --output-path {Output}", "/dev/null"], start => start.Environment.Remove("CI"), answer: "north\n");

        Assert.True(exitCode == 0, said);
        Assert.Contains("Value of parameter 'region': ", said, StringComparison.Ordinal);
        Assert.Contains("REGION: north", await File.ReadAllTextAsync(Path.Combine(Output, "k8s", "base", "web.yaml"), Stop), StringComparison.Ordinal);
    }

    private string Cache => Path.Combine(_folder.FullName, "cache");

    /// <summary>The AppHost of this repository on a machine that has nothing but .NET.</summary>
    private async Task<(int ExitCode, string Said)> AppHostAsync(params string[] args)
    {
        var programs = Directory.CreateDirectory(Path.Combine(_folder.FullName, "programs")).FullName;
        var dotnet = Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : Path.Combine(Environment.GetEnvironmentVariable("PATH")!.Split(':').First(p => File.Exists(Path.Combine(p, "dotnet"))), "dotnet");
        var link = Path.Combine(programs, "dotnet");
        if (!File.Exists(link))
        {
            File.CreateSymbolicLink(link, dotnet);
        }

        return await RunAsync(link, ["run", "--no-build", "--project", Path.Combine(Repository.Root, "OpenPlatform.AppHost"), "--", .. args], start =>
        {
            start.Environment["PATH"] = programs;
            start.Environment["DOCKER_HOST"] = "unix:///nowhere.sock";
            start.Environment["OPENPLATFORM_CACHE"] = Cache;
        });
    }

    private static async Task<(int ExitCode, string Said)> RunAsync(string program, string[] args, Action<ProcessStartInfo> configure, string? answer = null)
    {
        var start = new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = answer is not null, UseShellExecute = false };
        configure(start);
        using var process = Process.Start(start)!;
        var said = new StringBuilder();
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (answer is not null)
        {
            await process.StandardInput.WriteAsync(answer);
            await process.StandardInput.FlushAsync(Stop);
        }

        await process.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromMinutes(3), Stop);
        return (process.ExitCode, said.ToString());

        void Keep(object sender, DataReceivedEventArgs line)
        {
            lock (said)
            {
                said.AppendLine(line.Data);
            }
        }
    }

    private Task<SortedDictionary<string, string>> PublishShopAsync(string folder, params string[] args) => PublishShopAsync(folder, _ => { }, args);

    /// <returns>What was written, by path below the output folder.</returns>
    private async Task<SortedDictionary<string, string>> PublishShopAsync(string folder, Action<Shop> change, params string[] args)
    {
        var output = Path.Combine(_folder.FullName, folder);
        var builder = Apps.Publishing(["--step", "publish", "--output-path", output, .. args]);
        var shop = Shop.Add(builder);
        builder.AddKubernetesEnvironment("edge");
        change(shop);
        await using var app = builder.Build();
        foreach (var task in app.Services.GetServices<IPublishStep>().First(s => s.Name == "publish").Tasks(output))
        {
            await task.RunAsync(Stop);
        }

        return new(Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories).ToDictionary(f => Path.GetRelativePath(output, f), File.ReadAllText), StringComparer.Ordinal);
    }
}
