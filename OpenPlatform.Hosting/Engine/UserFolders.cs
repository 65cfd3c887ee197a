namespace OpenPlatform.Hosting;

/// <summary>Where downloads (cache) and kept data live: one place per user, outside every repository.</summary>
internal static class UserFolders
{
    /// <summary>Moves <see cref="Cache"/>.</summary>
    internal const string CacheVariable = "OPENPLATFORM_CACHE";

    /// <summary>Moves <see cref="Data"/>; the value <c>temporary</c> keeps nothing between runs.</summary>
    internal const string DataVariable = "OPENPLATFORM_DATA";

    /// <summary>What can be fetched again: the engine, Postgres binaries. Absolute, not necessarily existing.</summary>
    internal static string Cache => Locate(CacheVariable, "/var/cache", "XDG_CACHE_HOME", ".cache", "Library/Caches", "cache");

    /// <summary>What people would miss: databases, state folders. Absolute, not necessarily existing.</summary>
    internal static string Data => Locate(DataVariable, "/var/lib", "XDG_DATA_HOME", ".local/share", "Library/Application Support", "data");

    internal static bool DataIsTemporary =>
        string.Equals(Environment.GetEnvironmentVariable(DataVariable), "temporary", StringComparison.OrdinalIgnoreCase);

    private static string Locate(string variable, string rootUser, string xdgVariable, string linuxHome, string macHome, string windows)
    {
        const string Product = "openplatform";
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } chosen &&
            !(variable == DataVariable && DataIsTemporary))
        {
            return Path.GetFullPath(chosen);
        }

        var home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (OperatingSystem.IsWindows())
        {
            return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), Product, windows);
        }

        if (OperatingSystem.IsMacOS())
        {
            return Path.Combine(home, macHome, Product);
        }

        // Postgres gives up root, and nobody but root can pass through /root (0700).
        if (Environment.IsPrivilegedProcess)
        {
            return Path.Combine(rootUser, Product);
        }

        // The XDG specification: a relative value is invalid and is to be ignored.
        return Environment.GetEnvironmentVariable(xdgVariable) is { } xdg && Path.IsPathRooted(xdg)
            ? Path.Combine(xdg, Product)
            : Path.Combine(home, linuxHome, Product);
    }
}
