using System.Runtime.CompilerServices;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>
/// No host of a test watches its settings files, which nobody changes: each watcher is one of the 128 inotify instances that a user has by default,
/// and a test process starts hundreds of hosts.
/// </summary>
internal static class UnwatchedSettings
{
    [ModuleInitializer]
    internal static void Set() => Environment.SetEnvironmentVariable("DOTNET_hostBuilder__reloadConfigOnChange", "false");
}
