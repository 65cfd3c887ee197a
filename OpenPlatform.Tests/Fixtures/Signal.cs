using System.Runtime.InteropServices;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>Signals of Linux (signal(7)) to processes that a test started.</summary>
internal static class Signal
{
    public const int Interrupt = 2, Quit = 3, Kill = 9, Terminate = 15, Continue = 18, Stop = 19;

    /// <summary>Fails when there is no such process.</summary>
    public static void Send(int processId, int signal) =>
        Assert.True(SendSignal(processId, signal) == 0, $"Signal {signal} to process {processId}: error {Marshal.GetLastPInvokeError()}");

    /// <summary>For processes that may end at any moment.</summary>
    public static void TrySend(int processId, int signal) => _ = SendSignal(processId, signal);

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int processId, int signal);
}
