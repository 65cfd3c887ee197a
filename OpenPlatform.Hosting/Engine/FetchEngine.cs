using Aspire.Hosting;
using Microsoft.Extensions.Configuration;

namespace OpenPlatform.Hosting;

/// <summary>
/// <c>dotnet OpenPlatform.Hosting.dll fetch-engine</c>: what the build of an AppHost calls (build/OpenPlatform.Hosting.targets),
/// so that the first run finds everything in place. Exit code 0: the engine is there; 1: it is not, and why is on standard error.
/// </summary>
internal static class FetchEngine
{
    private static async Task<int> Main(string[] args)
    {
        if (args is not ["fetch-engine"])
        {
            await Console.Error.WriteLineAsync("usage: dotnet OpenPlatform.Hosting.dll fetch-engine");
            return 2;
        }

        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, pressed) => { pressed.Cancel = true; stop.Cancel(); };
        await using var terminal = OpenTerminal();
        var output = terminal ?? Console.Out;
        try
        {
            var configuration = new ConfigurationBuilder().AddEnvironmentVariables().Build();
            var engine = await new EngineLocator(configuration, new NpmCache(UserFolders.Cache), output.WriteLine).LocateAsync(stop.Token);
            await Console.Out.WriteLineAsync($"engine: {engine.DcpPath}");
            return 0;
        }
        catch (Exception e) when (e is DistributedApplicationException or OperationCanceledException)
        {
            // The form in which MSBuild recognizes a warning, on one line.
            await Console.Error.WriteLineAsync($"OpenPlatform.Hosting : warning OPENPLATFORM001: {e.Message.ReplaceLineEndings(" | ")} The build goes on; the AppHost tries again when it starts.");
            return 1;
        }
    }

    /// <summary>
    /// <c>dotnet run</c> builds silently, and a download of a minute must be seen: progress goes past the build's output
    /// to the terminal, where there is one.
    /// </summary>
    private static StreamWriter? OpenTerminal()
    {
        const string Terminal = "/dev/tty";
        try
        {
            return File.Exists(Terminal) ? new StreamWriter(new FileStream(Terminal, FileMode.Open, FileAccess.Write)) { AutoFlush = true } : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // No controlling terminal: a build server.
        }
    }
}
