using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Npgsql;
using OpenPlatform.Tests.Fixtures;

[assembly: AssemblyFixture(typeof(SharedPostgres))]

namespace OpenPlatform.Tests.Fixtures;

/// <summary>One Postgres for the whole run, started when the first test asks for a database.</summary>
public sealed class SharedPostgres : IAsyncDisposable
{
    private readonly Lazy<Task<PostgresServer>> _server = new(PostgresServer.StartNewAsync);

    /// <summary>Connection string of a new, empty database.</summary>
    public async Task<string> CreateDatabaseAsync() => await (await _server.Value).CreateDatabaseAsync();

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated)
        {
            await (await _server.Value).DisposeAsync();
        }
    }
}

/// <summary>
/// A private Postgres on a random loopback port, without fsync and without Unix sockets, from the binaries on the PATH or of Debian. As
/// root it runs as an unprivileged user, since Postgres refuses root. It ends with the test host, also when that is killed: the kernel
/// signals it when the thread that started it dies, so that thread lives as long as the server.
/// </summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private const string User = "catalog_tests";
    private const string Nobody = "65534";
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);

    private readonly string _root = Directory.CreateTempSubdirectory("openplatform-postgres-").FullName;
    private readonly string _binaries = FindBinaries();
    private int _port;
    private int _databases;
    private Process? _process;
    private ManualResetEventSlim? _keepThread;

    private PostgresServer()
    {
    }

    /// <summary>Arguments of setpriv with which Postgres's programs run.</summary>
    public static string RunAs => IsRoot ? $"--reuid={Nobody} --regid={Nobody} --clear-groups" : "";

    /// <summary>What the commands of docs/operations need: how to reach this server, and where Postgres's programs are.</summary>
    public Dictionary<string, string> Variables => new(StringComparer.Ordinal)
    {
        ["PRIMARY"] = $"host=127.0.0.1 port={_port.ToString(CultureInfo.InvariantCulture)} user={User}",
        ["PATH"] = _binaries + Path.PathSeparator + Environment.GetEnvironmentVariable("PATH"),
    };

    private string Data => Path.Combine(_root, "data");

    private static bool IsRoot => geteuid() == 0;

    public static async Task<PostgresServer> StartNewAsync()
    {
        var server = new PostgresServer();
        try
        {
            await server.InitializeAsync();
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>A server on a data folder that <paramref name="fill"/> makes from a backup or from another server.</summary>
    /// <param name="at">Whose port it takes; null: its own.</param>
    public static async Task<PostgresServer> RestoredAsync(PostgresServer? at, Func<string, Task> fill)
    {
        var server = new PostgresServer { _port = at?._port ?? 0 };
        try
        {
            await server.OwnAsync(server._root);
            await fill(server.Data);
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>An empty folder that Postgres's programs may write to; it goes with the server.</summary>
    public string NewFolder(string name)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, name)).FullName;
        OwnAsync(folder).GetAwaiter().GetResult();
        return folder;
    }

    public string ConnectionStringOf(string database) => ConnectionString(database);

    /// <summary>One connection string that names several servers.</summary>
    public static string ConnectionStringOf(string database, params PostgresServer[] servers) =>
        new NpgsqlConnectionStringBuilder(servers[0].ConnectionString(database)) { Host = string.Join(',', servers.Select(static server => $"127.0.0.1:{server._port}")) }.ConnectionString;

    /// <summary>Connection string of a new, empty database.</summary>
    public async Task<string> CreateDatabaseAsync()
    {
        var name = $"test_{Interlocked.Increment(ref _databases)}";
        await using var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Pooling=false");
        await connection.OpenAsync();
        await using var create = new NpgsqlCommand($"create database {name} template template0", connection);
        await create.ExecuteNonQueryAsync();
        return ConnectionString(name);
    }

    /// <summary>Starts it (again), on the same port once it has one. Returns when it answers.</summary>
    public async Task StartAsync()
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            Launch();
            while (!_process!.HasExited && waited.Elapsed < StartTimeout)
            {
                if (await AnswersAsync())
                {
                    return;
                }

                await Task.Delay(20);
            }

            // Processes of the one before still hold the shared memory, or somebody took the port meanwhile: try again for a while.
            await CrashAsync();
            Assert.True(waited.Elapsed < StartTimeout, "Postgres did not start; see its log above.");
            await Task.Delay(100);
        }
    }

    /// <summary>Ends it at once, without a clean shutdown, and waits until it is gone.</summary>
    public Task CrashAsync() => EndAsync(Signal.Quit); // SIGQUIT: immediate shutdown; on the way up again it recovers as after a crash

    /// <summary>kill -9 of the server; its children end when they notice.</summary>
    public Task KillAsync() => EndAsync(Signal.Kill);

    private async Task EndAsync(int signal)
    {
        if (_process is { } process)
        {
            _process = null;
            Signal.Send(process.Id, signal);
            await process.WaitForExitAsync();
            process.Dispose();
        }

        _keepThread?.Set();
        _keepThread = null;
    }

    /// <summary>Stops it and every process of it in the middle of whatever they do.</summary>
    public void Freeze()
    {
        Signal.Send(_process!.Id, Signal.Stop); // first: then no more children come
        foreach (var child in Children(_process.Id))
        {
            Signal.TrySend(child, Signal.Stop);
        }
    }

    public void Thaw()
    {
        foreach (var child in Children(_process!.Id))
        {
            Signal.TrySend(child, Signal.Continue);
        }

        Signal.Send(_process.Id, Signal.Continue);
    }

    public async ValueTask DisposeAsync()
    {
        await CrashAsync();
        // The last child may still write for a moment.
        for (var attempt = 0; Directory.Exists(_root); attempt++)
        {
            try
            {
                Directory.Delete(_root, recursive: true);
            }
            catch (IOException) when (attempt < 20)
            {
                await Task.Delay(50);
            }
        }
    }

    /// <summary>From proc(5): the fourth field of <c>stat</c>, behind the name in parentheses, is the parent.</summary>
    private static IEnumerable<int> Children(int parent)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(static folder => char.IsAsciiDigit(folder["/proc/".Length])))
        {
            string stat;
            try
            {
                stat = File.ReadAllText(Path.Combine(folder, "stat"));
            }
            catch (IOException)
            {
                continue; // it has ended meanwhile
            }

            if (int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture) == parent)
            {
                yield return int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture);
            }
        }
    }

    private string ConnectionString(string database) =>
        $"Host=127.0.0.1;Port={_port};Username={User};Password=unused;Database={database};Maximum Pool Size=20";

    private Task OwnAsync(string folder) => IsRoot ? RunAsync("chown", [$"{Nobody}:{Nobody}", folder]) : Task.CompletedTask;

    private async Task InitializeAsync()
    {
        await OwnAsync(_root);
        var (file, arguments) = Unprivileged("initdb", ["-D", Data, "-U", User, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        await RunAsync(file, arguments);
    }

    private void Launch()
    {
        if (_port == 0)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            _port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        var (file, arguments) = Unprivileged("postgres",
        [
            "-D", Data, "-p", _port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
            // Commits still reach the operating system: they survive a crash of the process, which is what tests cause.
            "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB",
        ]);
        var started = new TaskCompletionSource<Process>();
        var keep = new ManualResetEventSlim();
        new Thread(() =>
        {
            try
            {
                var process = Process.Start(StartInfo(file, arguments))!;
                process.OutputDataReceived += static (_, _) => { };
                process.ErrorDataReceived += static (_, _) => { };
                process.BeginOutputReadLine();
                process.BeginErrorReadLine();
                started.SetResult(process);
                keep.Wait();
            }
            catch (Exception exception)
            {
                started.TrySetException(exception);
            }
        })
        { IsBackground = true, Name = "keeps Postgres" }.Start();
        _keepThread = keep;
        _process = started.Task.GetAwaiter().GetResult();
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await using var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Pooling=false;Timeout=2");
            await connection.OpenAsync();
            return true;
        }
        catch (Exception exception) when (exception is NpgsqlException or SocketException or TimeoutException)
        {
            return false;
        }
    }

    private (string File, string[] Arguments) Unprivileged(string program, string[] arguments)
    {
        var path = Path.Combine(_binaries, program);
        if (!OperatingSystem.IsLinux())
        {
            return (path, arguments);
        }

        string[] identity = IsRoot ? [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"] : [];
        return ("setpriv", [.. identity, "--pdeathsig=QUIT", path, .. arguments]);
    }

    private async Task RunAsync(string file, string[] arguments)
    {
        using var process = Process.Start(StartInfo(file, arguments))!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{file} {string.Join(' ', arguments)}: {await output}{await errors}");
    }

    private ProcessStartInfo StartInfo(string file, string[] arguments) => new(file, arguments)
    {
        UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _root,
    };

    internal static string FindBinaries()
    {
        var onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        var debian = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(static d => int.TryParse(Path.GetFileName(d), out var version) ? version : 0).Select(static d => Path.Combine(d, "bin"))
            : [];
        var found = onPath.Concat(debian).FirstOrDefault(static folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "postgres")));
        if (found is null)
        {
            const string HowToGetIt = "Postgres is neither on the PATH nor under /usr/lib/postgresql. Debian, Ubuntu: apt-get install postgresql. macOS: brew install postgresql.";
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", HowToGetIt);
            Assert.Skip(HowToGetIt);
        }

        return found;
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint geteuid();
}
