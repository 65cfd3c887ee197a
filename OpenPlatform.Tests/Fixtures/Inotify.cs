using System.ComponentModel;
using System.Diagnostics;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>A system that refuses to watch files, for one process: its user namespace has nothing left, the limits of the machine are as they were.</summary>
internal static class Inotify
{
    /// <summary>The command that becomes the one whose words follow it. Skips the test where that is not allowed.</summary>
    /// <param name="exhausted"><c>instances</c> or <c>watches</c>.</param>
    public static async Task<string[]> WithoutAsync(string exhausted)
    {
        string[] command =
        [
            "unshare", "-Ur", "sh", "-c", $"echo 0 > /proc/sys/user/max_inotify_{exhausted} && exec \"$@\"", "sh",
            "env", "-u", "DOTNET_hostBuilder__reloadConfigOnChange", // as everywhere but in tests
        ];
        Assert.SkipUnless(OperatingSystem.IsLinux() && await RunsAsync([.. command, "true"]), "User namespaces are not allowed here.");
        return command;
    }

    public static async Task<bool> RunsAsync(string[] command)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { UseShellExecute = false, RedirectStandardError = true })!;
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
