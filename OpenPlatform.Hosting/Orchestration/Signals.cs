using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>POSIX signals that .NET has no call for.</summary>
[UnsupportedOSPlatform("windows")]
internal static class Signals
{
    // SIGSTOP and SIGCONT have other numbers on macOS than on Linux.
    private static int Stop => OperatingSystem.IsMacOS() ? 17 : 19;
    private static int Continue => OperatingSystem.IsMacOS() ? 19 : 18;

    /// <summary>False where the process is gone or not ours.</summary>
    public static bool Freeze(int pid) => Kill(pid, Stop) == 0;

    public static bool Thaw(int pid) => Kill(pid, Continue) == 0;

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int pid, int signal);
}
