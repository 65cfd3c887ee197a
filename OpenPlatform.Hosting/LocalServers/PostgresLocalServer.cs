using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

/// <summary>
/// PostgreSQL as a process. Its folder holds <c>data</c> (the cluster) and <c>credentials</c> (a salted hash, so that a changed
/// password is told at once and not as a hundred refused logins).
/// </summary>
/// <param name="server">The resource.</param>
/// <param name="choice"><c>path</c>, <c>embedded</c> or null.</param>
/// <param name="cache">Where the embedded build is kept.</param>
internal sealed class PostgresLocalServer(PostgresServerResource server, string? choice, NpmCache cache) : ILocalServer
{
    private static readonly TimeSpan s_initLimit = TimeSpan.FromMinutes(3);

    /// <summary>How long the server of a killed AppHost may take to end: DCP gives it 6 s and needs a few to notice.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>
    /// SIGTERM lets Postgres wait for its clients to leave, which DCP answers with SIGKILL after 6 s; SIGINT lets it close them and end
    /// cleanly. <c>setpriv --pdeathsig</c> ends it too when this shell is killed.
    /// </summary>
    private const string FastShutdown = """
        setpriv=$1; shift
        "$setpriv" --pdeathsig INT "$@" & server=$!
        trap 'kill -INT $server' TERM INT
        while :; do wait $server; code=$?; kill -0 $server 2>/dev/null || exit $code; done
        """;

    public async Task<LocalServerProcess> PrepareAsync(LocalServerContext context, CancellationToken cancellationToken)
    {
        var folder = server.Annotations.OfType<ContainerMountAnnotation>().LastOrDefault(m => m.Type == ContainerMountType.BindMount)?.Source ?? context.DataDirectory;
        try
        {
            var binaries = await PostgresBinaries.LocateAsync(choice, cache, context.Report, cancellationToken);
            var user = UnprivilegedUser.ForServers();
            if (user is not null)
            {
                DataFolders.LetOthersPass(folder);
            }

            var data = Path.Combine(folder, "data");
            var credentials = new PostgresCredentials(Path.Combine(folder, "credentials"),
                await server.UserNameReference.GetValueAsync(cancellationToken) ?? "postgres",
                await server.PasswordParameter.GetValueAsync(cancellationToken) ?? "");
            if (Directory.Exists(data))
            {
                CheckVersion(binaries, data);
                CheckCredentials(credentials, folder);
                await WaitForPreviousAsync(data, context.Report, cancellationToken);
                if (user is not null)
                {
                    await user.OwnAsync(data, cancellationToken); // The account may be another one since; Postgres insists on owning its data.
                }
            }
            else
            {
                context.Report($"Creating a PostgreSQL {binaries.Version} database cluster");
                await InitializeAsync(binaries, user, credentials, data, cancellationToken);
            }

            context.Report($"Starting PostgreSQL {binaries.Version}");
            return Start(binaries, user, data, context.Port);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataFolders.Unusable(server, folder, e.Message, e);
        }
    }

    private static LocalServerProcess Start(PostgresBinaries binaries, UnprivilegedUser? user, string data, int port)
    {
        List<string> command =
        [
            binaries.Server, "-D", data, "-p", $"{port}",
            "-c", "listen_addresses=127.0.0.1",
            "-c", "unix_socket_directories=", // none: everybody comes by TCP, and nothing is left in /tmp
            "-c", "dynamic_shared_memory_type=" + (OperatingSystem.IsWindows() ? "windows" : "mmap"), // inside the data folder, so that a kill leaves nothing in /dev/shm
            "-c", "logging_collector=off",
        ];
        if (UnprivilegedUser.SetPriv is { } setPriv)
        {
            command = ["/bin/sh", "-c", FastShutdown, "postgres", setPriv, .. command];
        }

        var (fileName, arguments) = UnprivilegedUser.Run(user, command[0], command.Skip(1));
        return new(fileName, arguments, Environment, data, $"PostgreSQL {binaries.Version} ({binaries.Origin})");
    }

    /// <summary>Messages in English, and no dependence on locales that may not be installed.</summary>
    private static Dictionary<string, string> Environment { get; } = new() { ["LC_ALL"] = "C" };

    private static async Task InitializeAsync(PostgresBinaries binaries, UnprivilegedUser? user, PostgresCredentials credentials, string data, CancellationToken cancellationToken)
    {
        // Renamed when complete: an interrupted attempt never looks like data.
        var unfinished = data + ".new";
        var passwordFile = data + ".password";
        if (Directory.Exists(unfinished))
        {
            Directory.Delete(unfinished, recursive: true);
        }

        try
        {
            Directory.CreateDirectory(unfinished);
            PrivateFile.Write(passwordFile, credentials.Password);
            if (user is not null)
            {
                await user.OwnAsync(unfinished, cancellationToken);
                await user.OwnAsync(passwordFile, cancellationToken);
            }

            var (fileName, arguments) = UnprivilegedUser.Run(user, binaries.InitDb,
            [
                "-D", unfinished, "-U", credentials.UserName, $"--pwfile={passwordFile}", "-A", "scram-sha-256", "-E", "UTF8",
                // macOS and Windows have no locale of that name.
                "--locale=" + (OperatingSystem.IsLinux() ? "C.UTF-8" : "C"), "--no-sync", "--no-instructions",
            ]);
            var result = await Tool.RunAsync(fileName, arguments, s_initLimit, cancellationToken, workingDirectory: Path.GetDirectoryName(data), environment: Environment);
            if (result.ExitCode != 0)
            {
                throw new IOException($"initdb ({binaries.InitDb}) failed: {result.Tail}");
            }

            credentials.Remember();
            Directory.Move(unfinished, data);
        }
        catch (TimeoutException e)
        {
            throw new IOException(e.Message, e);
        }
        finally
        {
            File.Delete(passwordFile);
        }
    }

    private void CheckVersion(PostgresBinaries binaries, string data)
    {
        var file = Path.Combine(data, "PG_VERSION");
        var found = File.Exists(file) ? File.ReadAllText(file).Trim() : throw new IOException($"{data} has no PG_VERSION, so it is no database cluster.");
        if (found != $"{binaries.Major}")
        {
            throw new DistributedApplicationException(
                $"The data of '{server.Name}' in {data} was made by PostgreSQL {found}, and the one to be started is {binaries.Version} ({binaries.Origin}). " +
                $"Use PostgreSQL {found} (LocalServers:Postgres=path or embedded chooses), move the data with pg_dump, or delete that folder to begin empty.");
        }
    }

    private void CheckCredentials(PostgresCredentials credentials, string folder)
    {
        if (!credentials.AreRemembered())
        {
            throw new DistributedApplicationException(
                $"The data of '{server.Name}' in {folder} was made with another user name or password than parameter '{server.PasswordParameter.Name}' holds now. " +
                $"Set Parameters:{server.PasswordParameter.Name} to the former value, or delete that folder to begin empty.");
        }
    }

    /// <summary>
    /// Waits for a server that still uses the data (its AppHost was killed a moment ago), and removes the lock file of one that is gone,
    /// since its process number may belong to somebody else by now.
    /// </summary>
    private async Task WaitForPreviousAsync(string data, Action<string> report, CancellationToken cancellationToken)
    {
        var file = Path.Combine(data, "postmaster.pid");
        for (var clock = Stopwatch.StartNew(); File.Exists(file); await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken))
        {
            // First line: the process.
            if (!int.TryParse(File.ReadLines(file).FirstOrDefault(), out var pid) || !IsServerOf(pid, data))
            {
                File.Delete(file);
                return;
            }

            if (clock.Elapsed > s_patience)
            {
                throw new DistributedApplicationException($"The data of '{server.Name}' in {data} is in use by a PostgreSQL server that no AppHost owns, process {pid}. Stop it with: kill -INT {pid}");
            }

            report($"Waiting for the PostgreSQL of an earlier run to end (process {pid})");
        }
    }

    private static bool IsServerOf(int pid, string data)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            // A server's working directory is its data folder; the comparison of the files is right also where links lead there.
            return OperatingSystem.IsLinux()
                ? File.Exists($"/proc/{pid}/cwd/postmaster.pid") && File.ReadAllText($"/proc/{pid}/cwd/postmaster.pid") == File.ReadAllText(Path.Combine(data, "postmaster.pid"))
                : process.ProcessName.Contains("postgres", StringComparison.OrdinalIgnoreCase);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return false; // No such process, or it has just ended.
        }
    }
}

/// <summary>Who may log in, and the memory of it beside the data: salt and PBKDF2 hash in base64, one per line.</summary>
internal sealed record PostgresCredentials(string File, string UserName, string Password)
{
    private const int Iterations = 100_000;

    internal void Remember()
    {
        var salt = RandomNumberGenerator.GetBytes(16);
        PrivateFile.Write(File, $"{Convert.ToBase64String(salt)}\n{Convert.ToBase64String(Hash(salt))}\n");
    }

    internal bool AreRemembered()
    {
        // Data that came from elsewhere (a bind mount): the login itself will tell.
        return !System.IO.File.Exists(File) ||
            (System.IO.File.ReadAllLines(File) is [var salt, var hash, ..] && CryptographicOperations.FixedTimeEquals(Convert.FromBase64String(hash), Hash(Convert.FromBase64String(salt))));
    }

    private byte[] Hash(byte[] salt) => Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes($"{UserName}\n{Password}"), salt, Iterations, HashAlgorithmName.SHA256, outputLength: 32);
}

/// <summary>Files with secrets.</summary>
internal static class PrivateFile
{
    /// <summary>Writes a file that only this user can read, also while it is being written.</summary>
    internal static void Write(string path, string text)
    {
        System.IO.File.Delete(path);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var writer = new StreamWriter(path, options);
        writer.Write(text);
    }
}
