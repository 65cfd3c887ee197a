using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

/// <summary>Redis as a process: <c>redis-server</c> from the PATH, otherwise Garnet. The password is in a file only this user can read, never on the command line.</summary>
/// <param name="server">The resource.</param>
/// <param name="choice"><c>redis-server</c>, <c>garnet</c> or null.</param>
internal sealed class RedisLocalServer(RedisResource server, string? choice) : ILocalServer
{
    public async Task<LocalServerProcess> PrepareAsync(LocalServerContext context, CancellationToken cancellationToken)
    {
        var folder = server.Annotations.OfType<ContainerMountAnnotation>().LastOrDefault(m => m.Type == ContainerMountType.BindMount)?.Source ?? context.DataDirectory;
        var password = server.PasswordParameter is { } parameter ? await parameter.GetValueAsync(cancellationToken) : null;
        var redis = choice == "garnet" ? null : Tool.Find("redis-server");
        if (redis is null && choice == "redis-server")
        {
            throw new DistributedApplicationException("LocalServers:Redis is 'redis-server', but there is none on the PATH. Install it, or choose 'garnet'.");
        }

        try
        {
            return redis is not null
                ? Redis(redis, folder, context.Port, password)
                : Garnet(await GarnetTool.LocateAsync(UserFolders.Cache, context.Report, cancellationToken), folder, context.Port, password);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataFolders.Unusable(server, folder, e.Message, e);
        }
    }

    private PersistenceAnnotation? Persistence => server.Annotations.OfType<PersistenceAnnotation>().LastOrDefault();

    private LocalServerProcess Redis(string program, string folder, int port, string? password)
    {
        var file = Path.Combine(folder, "redis.conf");
        List<string> lines =
        [
            "bind 127.0.0.1", $"port {port}", "daemonize no", $"dir {Quote(folder)}",
            Persistence is { } p ? $"save {p.Interval.TotalSeconds:0} {p.KeysChangedThreshold}" : "save \"\"",
        ];
        if (!string.IsNullOrEmpty(password))
        {
            lines.Add($"requirepass {Quote(password)}");
        }

        PrivateFile.Write(file, string.Join('\n', lines) + '\n');
        return new(program, [file], new Dictionary<string, string>(), folder, $"Redis ({program})");
    }

    /// <summary>Redis reads quoted values with backslash escapes.</summary>
    private static string Quote(string value) => $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    private LocalServerProcess Garnet(string assembly, string folder, int port, string? password)
    {
        var settings = new Dictionary<string, object>
        {
            ["Address"] = "127.0.0.1",
            ["Port"] = port,
            ["EnableLua"] = true,
            ["LogMemorySize"] = "256m",
            ["IndexMemorySize"] = "16m",
            ["CheckpointDir"] = folder,
        };
        if (!string.IsNullOrEmpty(password))
        {
            settings["AuthenticationMode"] = "Password";
            settings["Password"] = password;
        }

        if (Persistence is not null)
        {
            // Sizes: an AOF page holds at least two log pages. RandomAccess: the default device needs libaio, and without it
            // writes nothing and says nothing.
            (settings["EnableAOF"], settings["Recover"], settings["PageSize"]) = (true, true, "4m");
            (settings["AofMemorySize"], settings["AofPageSize"], settings["DeviceType"]) = ("32m", "8m", "RandomAccess");
        }

        var file = Path.Combine(folder, "garnet.json");
        PrivateFile.Write(file, JsonSerializer.Serialize(settings));
        return new(GarnetTool.Dotnet, [assembly, "--config-import-path", file], new Dictionary<string, string>(), folder, $"Garnet {GarnetTool.Version}");
    }
}
