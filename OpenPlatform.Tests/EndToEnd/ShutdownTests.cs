using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.EndToEnd;

/// <summary>However the AppHost ends, nothing of it stays behind.</summary>
[Collection(AppHostProcess.Collection)]
public sealed class ShutdownTests
{
    [Theory]
    [InlineData(Signal.Interrupt)]
    [InlineData(Signal.Terminate)]
    [InlineData(Signal.Kill)]
    public async Task After_a_signal_to_the_AppHost_no_process_port_or_temporary_file_is_left_within_15_seconds(int signal)
    {
        await using var platform = AppHostProcess.Start();
        await platform.UntilReadyAsync();
        Assert.True(platform.Marks.Alive().Count >= 8, "The system was not running.");

        Signal.Send(platform.AppHostId(), signal);

        await platform.UntilGoneAsync(TimeSpan.FromSeconds(15));
        foreach (var port in (int[])[platform.GatewayPort, platform.CatalogPort])
        {
            using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, port);
            listener.Start(); // throws when something still listens
        }

        // The runtime of a process that is killed (kill -9) cannot take its own diagnostics sockets away.
        Assert.DoesNotContain(Directory.GetFileSystemEntries(platform.TemporaryFolder), static path =>
            !Path.GetFileName(path).StartsWith("clr-debug-pipe-", StringComparison.Ordinal) && !Path.GetFileName(path).StartsWith("dotnet-diagnostic-", StringComparison.Ordinal));
    }
}
