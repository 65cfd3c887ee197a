using System.Runtime.Versioning;

namespace OpenPlatform.Hosting;

/// <summary>
/// A fresh folder of this run. DCP writes its files here and deletes the folder whole when it ends, also after a kill -9
/// of this process: whatever is temporary belongs inside.
/// </summary>
internal sealed class SessionFolder : IDisposable
{
    private readonly Lazy<string> _path = new(Create);

    /// <summary>Absolute. Readable by this user only; as root others may pass through it, since Postgres refuses to run as root.</summary>
    public string Path => _path.Value;

    public string Kubeconfig => System.IO.Path.Combine(Path, "kubeconfig");

    public void Dispose()
    {
        if (!_path.IsValueCreated)
        {
            return;
        }

        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Already deleted by DCP, or DCP is still at it.
        }
    }

    private static string Create()
    {
        var path = Directory.CreateTempSubdirectory("openplatform-").FullName;
        if (!OperatingSystem.IsWindows() && string.Equals(Environment.UserName, "root", StringComparison.Ordinal))
        {
            LetOthersPass(path);
        }

        return path;
    }

    [UnsupportedOSPlatform("windows")]
    private static void LetOthersPass(string path) => File.SetUnixFileMode(path,
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
}
