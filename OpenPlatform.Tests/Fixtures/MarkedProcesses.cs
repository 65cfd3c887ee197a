using System.Text;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>
/// Finds every process that descends from one we started, however it was re-parented: each inherits an environment variable
/// with a value of its own, or works in a folder below the run's own, for redis-server writes its title over its environment
/// (Linux: read from /proc).
/// </summary>
/// <param name="folder">The run's own folder.</param>
internal sealed class MarkedProcesses(string folder)
{
    public const string Variable = "OPENPLATFORM_TEST_RUN";

    public string Value { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Id and command line of each one that is alive now.</summary>
    public IReadOnlyList<(int Id, string Command)> Alive()
    {
        var entry = Encoding.ASCII.GetBytes($"{Variable}={Value}");
        var alive = new List<(int, string)>();
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(process), out var id) && id != Environment.ProcessId
                    && (File.ReadAllBytes(Path.Combine(process, "environ")).AsSpan().IndexOf(entry) >= 0
                        || new FileInfo(Path.Combine(process, "cwd")).LinkTarget?.StartsWith(folder + "/", StringComparison.Ordinal) == true))
                {
                    alive.Add((id, File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ')));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended while we looked, or belongs to somebody else.
            }
        }

        return alive;
    }

    /// <summary>Ends what is left, so that a failed test leaves nothing running.</summary>
    public void KillAll()
    {
        foreach (var (id, _) in Alive())
        {
            try
            {
                using var process = System.Diagnostics.Process.GetProcessById(id);
                process.Kill();
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                // Gone already.
            }
        }
    }
}
