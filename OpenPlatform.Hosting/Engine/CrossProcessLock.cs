namespace OpenPlatform.Hosting;

/// <summary>
/// A lock between processes: an open file. The system frees it with the process, so nothing stays locked after a crash;
/// the empty file itself stays.
/// </summary>
internal sealed class CrossProcessLock : IDisposable
{
    private readonly FileStream _file;

    private CrossProcessLock(FileStream file) => _file = file;

    /// <summary>Waits until nobody else holds the lock; <paramref name="waiting"/> is called once when it has to wait.</summary>
    internal static async Task<CrossProcessLock> AcquireAsync(string path, Action waiting, CancellationToken cancellationToken)
    {
        for (var first = true; ; first = false)
        {
            if (TryAcquire(path) is { } held)
            {
                return held;
            }

            if (first)
            {
                waiting();
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken);
        }
    }

    internal static CrossProcessLock? TryAcquire(string path)
    {
        try
        {
            return new(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException) && File.Exists(path))
        {
            return null;
        }
    }

    public void Dispose() => _file.Dispose();
}
