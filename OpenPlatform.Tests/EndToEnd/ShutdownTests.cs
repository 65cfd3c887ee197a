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
        var before = TemporaryEntries();
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

        Assert.DoesNotContain(TemporaryEntries().Except(before), IsOurs);
    }

    private static string[] TemporaryEntries() => Directory.GetFileSystemEntries(Path.GetTempPath());

    /// <summary>The .NET runtime's own diagnostics sockets of killed processes and other programs' files are not ours.</summary>
    private static bool IsOurs(string path) => Path.GetFileName(path) is var name
        && (name.Contains("openplatform", StringComparison.OrdinalIgnoreCase) || name.Contains("dcp", StringComparison.OrdinalIgnoreCase)
            || name.Contains("aspire", StringComparison.OrdinalIgnoreCase));
}
