using System.Text;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>
/// Finds every process that descends from one we started, however it was re-parented: each inherits an environment variable
/// with a value of its own (Linux: read from /proc).
/// </summary>
internal sealed class MarkedProcesses
{
    private readonly byte[] _entry;

    public MarkedProcesses() => _entry = Encoding.ASCII.GetBytes($"{Variable}={Value}");

    public const string Variable = "OPENPLATFORM_TEST_RUN";

    public string Value { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Id and command line of each one that is alive now.</summary>
    public IReadOnlyList<(int Id, string Command)> Alive()
    {
        var alive = new List<(int, string)>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(folder), out var id) && id != Environment.ProcessId
                    && File.ReadAllBytes(Path.Combine(folder, "environ")).AsSpan().IndexOf(_entry) >= 0)
                {
                    alive.Add((id, File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ')));
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
