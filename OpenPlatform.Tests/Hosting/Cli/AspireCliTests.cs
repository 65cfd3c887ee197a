using System.Diagnostics;
using System.Text;
using Aspire.Hosting;
using Microsoft.Extensions.Configuration;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.Cli;

/// <summary>The official command-line tool with an AppHost that references nothing but this library.</summary>
public sealed class AspireCliTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("aspire-cli-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task It_publishes_the_model_and_it_runs_and_stops_the_application()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Stops the tool by a signal.");
        var cli = await new EngineLocator(new ConfigurationBuilder().AddEnvironmentVariables().Build(), new NpmCache(UserFolders.Cache), _ => { }).LocateCliAsync(Cancel);
        var port = OpenPlatform.Hosting.Orchestration.Ports.Free();
        await WriteAppHostAsync(port);

        var (publish, publishing) = Start(cli, "publish", "--apphost", "Small.AppHost.csproj", "--non-interactive", "--nologo", "-o", Path.Combine(_folder.FullName, "out"));
        await publish.WaitForExitAsync(Cancel);
        Assert.True(publish.ExitCode == 0, publishing.ToString());
        Assert.Contains("steps succeeded", publishing.ToString(), StringComparison.Ordinal);
        Assert.Contains("Write Kubernetes files of 'k8s'", publishing.ToString(), StringComparison.Ordinal);
        Assert.Contains("image: nginx:1.29", await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "out", "k8s", "base", "web.yaml"), Cancel), StringComparison.Ordinal);

        var (run, running) = Start(cli, "run", "--apphost", "Small.AppHost.csproj", "--non-interactive", "--nologo");
        try
        {
            await Eventually.TrueAsync(() => run.HasExited || Text(running).Contains($"http://localhost:{port}/login?t=", StringComparison.Ordinal), TimeSpan.FromMinutes(3));
            Assert.False(run.HasExited, Text(running));
            using (var http = new HttpClient())
            {
                Assert.True((await http.GetAsync($"http://localhost:{port}/health", Cancel)).IsSuccessStatusCode);
            }
            using var stop = Process.Start("kill", $"-INT {run.Id}");
            await run.WaitForExitAsync(Cancel).WaitAsync(TimeSpan.FromSeconds(60), Cancel);
            Assert.True(run.ExitCode == 0, Text(running));
            await Eventually.TrueAsync(() => OpenPlatform.Hosting.Orchestration.Ports.IsFree(port));
        }
        finally
        {
            run.Kill(entireProcessTree: true);
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static string Text(StringBuilder output)
    {
        lock (output)
        {
            return output.ToString();
        }
    }

    private (Process Process, StringBuilder Output) Start(string cli, params string[] arguments)
    {
        var output = new StringBuilder();
        var start = new ProcessStartInfo(cli, arguments) { WorkingDirectory = _folder.FullName, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        // The tool writes settings and a certificate into the home folder: it gets one that is thrown away.
        start.Environment["HOME"] = Path.Combine(_folder.FullName, "home");
        start.Environment["NUGET_PACKAGES"] = Path.Combine(_folder.FullName, "home", "packages");
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["ASPIRE_CLI_TELEMETRY_OPTOUT"] = start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "true";
        Directory.CreateDirectory(start.Environment["HOME"]!);
        var process = Process.Start(start)!;
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return (process, output);

        void Keep(object sender, DataReceivedEventArgs line)
        {
            lock (output)
            {
                output.AppendLine(line.Data);
            }
        }
    }

    /// <summary>No package at all, so nothing is restored from anywhere.</summary>
    private async Task WriteAppHostAsync(int port)
    {
        var library = typeof(DistributedApplication).Assembly.Location;
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "Small.AppHost.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <IsAspireHost>true</IsAspireHost>
                <AspireHostingSDKVersion>13.5.4</AspireHostingSDKVersion>
                <AspireUseCliBundle>true</AspireUseCliBundle>
              </PropertyGroup>
              <ItemGroup>
                <FrameworkReference Include="Microsoft.AspNetCore.App" />
                <Reference Include="OpenPlatform.Hosting" HintPath="{library}" />
              </ItemGroup>
            </Project>
            """, Cancel);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "Program.cs"), """
            var builder = Aspire.Hosting.DistributedApplication.CreateBuilder(args);
            if (builder.ExecutionContext.IsPublishMode)
            {
                Aspire.Hosting.ContainerResourceBuilderExtensions.AddContainer(builder, "web", "nginx", "1.29");
                Aspire.Hosting.KubernetesEnvironmentExtensions.AddKubernetesEnvironment(builder, "k8s");
            }
            else
            {
                Aspire.Hosting.ExecutableResourceBuilderExtensions.AddExecutable(builder, "clock", "sleep", ".", "300");
            }
            builder.Build().Run();
            """, Cancel);
        var properties = Directory.CreateDirectory(Path.Combine(_folder.FullName, "Properties"));
        await File.WriteAllTextAsync(Path.Combine(properties.FullName, "launchSettings.json"), $$"""
            { "profiles": { "http": { "commandName": "Project", "applicationUrl": "http://localhost:{{port}}",
              "environmentVariables": { "DOTNET_ENVIRONMENT": "Development", "ASPIRE_ALLOW_UNSECURED_TRANSPORT": "true" } } } }
            """, Cancel);
    }
}
