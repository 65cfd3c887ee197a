using System.Text.RegularExpressions;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

/// <summary>
/// One folder per resource. Kept: <c>&lt;data&gt;/&lt;application&gt;/&lt;resource&gt;</c>, held by one AppHost at a time. Temporary:
/// inside the session folder, which DCP deletes also after a kill -9 of this process.
/// </summary>
internal sealed partial class DataFolders(HostingOptions options, string dataFolder, Func<string> sessionFolder) : IDisposable
{
    /// <summary>Others may pass through but not look: Postgres as an unprivileged user reaches its folder below.</summary>
    private const UnixFileMode PassThrough = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, CrossProcessLock?> _folders = [];

    /// <summary>The resource's folder: existing, absolute, readable by this user only.</summary>
    /// <param name="resource">Whose.</param>
    /// <param name="keep">Kept between runs, unless this application or user wants everything temporary.</param>
    /// <exception cref="DistributedApplicationException">Another AppHost uses it, or it cannot be written.</exception>
    internal string For(IResource resource, bool keep)
    {
        var temporary = !keep || options.TemporaryData;
        var root = temporary
            ? Path.Combine(sessionFolder(), "data")
            : Path.Combine(dataFolder, $"{UnsafeForNames().Replace(options.ApplicationName, "-")}-{options.ApplicationId}");
        var folder = Path.Combine(root, resource.Name);
        lock (_gate)
        {
            if (!_folders.ContainsKey(folder))
            {
                _folders[folder] = Open(resource, root, folder, temporary);
            }
        }

        return folder;
    }

    private static CrossProcessLock? Open(IResource resource, string root, string folder, bool temporary)
    {
        try
        {
            Create(root, PassThrough);
            CrossProcessLock? held = null;
            if (!temporary)
            {
                var owner = folder + ".owner";
                held = CrossProcessLock.TryAcquire(folder + ".lock") ?? throw new DistributedApplicationException(
                    $"The data of '{resource.Name}' in {folder} is in use by another AppHost, process {ReadOrUnknown(owner)}. " +
                    $"Stop that one, or start this one with {UserFolders.DataVariable}=temporary.");
                File.WriteAllText(owner, $"{Environment.ProcessId}");
            }

            Create(folder, Private);
            return held;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unusable(resource, folder, e.Message, e);
        }
    }

    internal static DistributedApplicationException Unusable(IResource resource, string folder, string reason, Exception inner) => new(
        $"The data folder {folder} of '{resource.Name}' cannot be used: {reason} Free space there or correct its rights, " +
        $"or set {UserFolders.DataVariable} to another folder, or to 'temporary' to keep nothing.", inner);

    internal static void Create(string folder, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else if (!Directory.Exists(folder))
        {
            // The mode of CreateDirectory is cut by the umask, which may be 077 for root.
            Create(Path.GetDirectoryName(folder)!, PassThrough);
            Directory.CreateDirectory(folder);
            File.SetUnixFileMode(folder, mode);
        }
    }

    internal static void LetOthersPass(string folder)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(folder, PassThrough);
        }
    }

    private static string ReadOrUnknown(string file) => File.Exists(file) ? File.ReadAllText(file) : "unknown";

    public void Dispose()
    {
        foreach (var held in _folders.Values)
        {
            held?.Dispose();
        }
    }

    [GeneratedRegex("[^A-Za-z0-9._-]", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex UnsafeForNames();
}
