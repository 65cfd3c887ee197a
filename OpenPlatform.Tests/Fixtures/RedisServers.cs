using System.Diagnostics;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>A server that speaks Redis's protocol, with a password, on a port of its own.</summary>
public abstract class RedisLikeServer : ServerProcess
{
    public const string Password = "fixture-password=1";

    /// <summary>In StackExchange.Redis form.</summary>
    public string ConnectionString => $"127.0.0.1:{Port},password={Password}";

    // The script too: Garnet's first one takes seconds on a busy machine, which is no test's subject.
    protected override Task<bool> AnswersAsync() => AnswersRespAsync(
        $"*2\r\n$4\r\nAUTH\r\n${Password.Length}\r\n{Password}\r\n*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n", "+OK\r\n:1\r\n");
}

/// <summary>redis-server from the PATH.</summary>
public sealed class RedisServerFixture : RedisLikeServer, IAsyncLifetime
{
    internal static string Executable() => Require(
        FindOnPath("redis-server"), "redis-server is not on the PATH. Debian, Ubuntu: apt-get install redis-server. macOS: brew install redis.");

    ValueTask IAsyncLifetime.InitializeAsync() => new(StartAsync());

    protected override ProcessStartInfo StartInfo()
    {
        return new ProcessStartInfo(Executable())
        {
            ArgumentList = { "--bind", "127.0.0.1", "--port", $"{Port}", "--requirepass", Password, "--save", "", "--appendonly", "no", "--dir", Directory },
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
    }
}

/// <summary>Garnet, the local dotnet tool, started as the program it is (<c>dotnet tool run</c> would add a process in between).</summary>
public sealed class GarnetFixture : RedisLikeServer, IAsyncLifetime
{
    ValueTask IAsyncLifetime.InitializeAsync() => new(StartAsync());

    protected override ProcessStartInfo StartInfo()
    {
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var tool = Path.Combine(packages, "garnet-server");
        var server = Require(
            System.IO.Directory.Exists(tool)
                ? System.IO.Directory.EnumerateFiles(tool, "GarnetServer.dll", SearchOption.AllDirectories)
                    .Where(path => path.Contains($"{Path.DirectorySeparatorChar}net{Environment.Version.Major}.0{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
                    .MinBy(path => path.Length) // the package holds a second, trimmed copy deeper down
                : null,
            "Garnet is not restored. Run: dotnet tool restore");
        return new ProcessStartInfo(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet")
        {
            ArgumentList =
            {
                server, "--bind", "127.0.0.1", "--port", $"{Port}", "--auth", "Password", "--password", Password, "--lua", "-m", "256m", "-i", "16m",
            },
            WorkingDirectory = Directory,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
    }
}
