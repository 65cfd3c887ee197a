using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Npgsql;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.LocalServers;

/// <summary>Real PostgreSQL servers, started as the AppHost starts them.</summary>
public sealed class PostgresLocalServerTests : IDisposable
{
    private const string Password = "pa'ss \"word\\1";
    private readonly TemporaryFolder _folder = new();
    private readonly NpmCache _cache = new(UserFolders.Cache);

    [Theory]
    [InlineData("path")]
    [InlineData("embedded")]
    public async Task Starts_refuses_a_wrong_password_and_keeps_its_data(string choice)
    {
        NeedsPostgres(choice);
        var resource = Resource(Password);
        Directory.CreateDirectory(Path.Combine(_folder, "data.new", "left by an interrupted initdb"));
        await using (var server = await RunningServer.StartAsync(new PostgresLocalServer(resource, choice, _cache), resource, _folder))
        {
            await server.HealthyAsync(new PostgresHealthCheck(_ => new(ConnectionString(server, Password)), database: null));
            Assert.Contains(server.Reports, text => text.StartsWith("Creating a PostgreSQL", StringComparison.Ordinal));
            Assert.DoesNotContain("word", server.CommandLines(), StringComparison.Ordinal);
            var refusal = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(ConnectionString(server, "wrong"), "SELECT 1"));
            Assert.Equal(PostgresErrorCodes.InvalidPassword, refusal.SqlState);
            await ExecuteAsync(ConnectionString(server, Password), "CREATE TABLE kept (id int)");

            // A client that stays must not keep it from ending.
            await using var client = new NpgsqlConnection(ConnectionString(server, Password));
            await client.OpenAsync(TestContext.Current.CancellationToken);
            await server.StopAsync();
            Assert.False(File.Exists(Path.Combine(_folder, "data", "postmaster.pid")), "It ended cleanly.");
        }

        await using (var again = await RunningServer.StartAsync(new PostgresLocalServer(resource, choice, _cache), resource, _folder))
        {
            await again.HealthyAsync(new PostgresHealthCheck(_ => new(ConnectionString(again, Password)), database: null));
            await ExecuteAsync(ConnectionString(again, Password), "INSERT INTO kept VALUES (1)");
            await again.StopAsync();
        }
    }

    [Fact]
    public async Task Killing_the_process_the_orchestrator_knows_leaves_no_server_behind_and_the_next_start_works()
    {
        NeedsPostgres("path");
        var resource = Resource(Password);
        await using var server = await RunningServer.StartAsync(new PostgresLocalServer(resource, "path", _cache), resource, _folder);
        await server.HealthyAsync(new PostgresHealthCheck(_ => new(ConnectionString(server, Password)), database: null));
        var family = RunningServer.Family(server.Pid);
        await server.KillAsync();
        await using var next = await RunningServer.StartAsync(new PostgresLocalServer(resource, "path", _cache), resource, _folder);
        await next.HealthyAsync(new PostgresHealthCheck(_ => new(ConnectionString(next, Password)), database: null));
        Assert.All(family, pid => Assert.False(RunningServer.IsAlive(pid)));
        await next.StopAsync();
    }

    [Fact]
    public async Task Data_that_does_not_fit_is_told_with_the_way_out_and_stays()
    {
        NeedsPostgres("path");
        var resource = Resource(Password);
        await using (var server = await RunningServer.StartAsync(new PostgresLocalServer(resource, "path", _cache), resource, _folder))
        {
            await server.HealthyAsync(new PostgresHealthCheck(_ => new(ConnectionString(server, Password)), database: null));
            await server.StopAsync();
        }

        var other = Resource("another");
        var changed = await Assert.ThrowsAsync<DistributedApplicationException>(() => PrepareAsync(new PostgresLocalServer(other, "path", _cache), other));
        Assert.Contains("Parameters:pg-password", changed.Message, StringComparison.Ordinal);
        Assert.Contains(_folder.Path, changed.Message, StringComparison.Ordinal);

        // A lock file whose process number belongs to somebody else by now: this test.
        var pidFile = Path.Combine(_folder, "data", "postmaster.pid");
        await File.WriteAllTextAsync(pidFile, $"{Environment.ProcessId}\n", TestContext.Current.CancellationToken);
        await PrepareAsync(new PostgresLocalServer(resource, "path", _cache), resource);
        Assert.False(File.Exists(pidFile));

        await File.WriteAllTextAsync(Path.Combine(_folder, "data", "PG_VERSION"), "9\n", TestContext.Current.CancellationToken);
        var version = await Assert.ThrowsAsync<DistributedApplicationException>(() => PrepareAsync(new PostgresLocalServer(resource, "path", _cache), resource));
        Assert.Contains("made by PostgreSQL 9", version.Message, StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(_folder, "data", "base")), "Nothing is deleted.");
    }

    [Fact]
    public async Task A_full_disk_is_told_with_the_way_out()
    {
        NeedsPostgres("path");
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Only root can mount a small disk.");
        Assert.SkipUnless(Run("mount", "-t", "tmpfs", "-o", "size=4m,mode=711", "tmpfs", _folder) == 0, "This machine does not let root mount.");
        try
        {
            var resource = Resource(Password);
            var full = await Assert.ThrowsAsync<DistributedApplicationException>(() => PrepareAsync(new PostgresLocalServer(resource, "path", _cache), resource));
            Assert.Contains("No space left on device", full.Message, StringComparison.Ordinal);
            Assert.Contains("OPENPLATFORM_DATA", full.Message, StringComparison.Ordinal);
        }
        finally
        {
            Assert.Equal(0, Run("umount", _folder));
        }
    }

    [Fact]
    public async Task An_ordinary_user_runs_it_as_itself()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "The other tests of this class have just done that.");
        NeedsPostgres("path");
        await PostgresBinaries.LocateAsync("embedded", _cache, _ => { }, TestContext.Current.CancellationToken); // Into the cache that the ordinary user only reads.
        var method = $"{typeof(PostgresLocalServerTests).FullName}.{nameof(Starts_refuses_a_wrong_password_and_keeps_its_data)}";
        var result = await Tool.RunAsync("setpriv",
            ["--reuid=65534", "--regid=65534", "--clear-groups", GarnetTool.Dotnet, typeof(PostgresLocalServerTests).Assembly.Location, "-method", method],
            TimeSpan.FromMinutes(3), TestContext.Current.CancellationToken, workingDirectory: _folder, environment: new Dictionary<string, string>
            {
                ["HOME"] = "/nonexistent",
                ["OPENPLATFORM_CACHE"] = UserFolders.Cache,
            });
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        Assert.Contains("Total: 2", result.Output, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static PostgresServerResource Resource(string password) => new("pg", userName: null, new ParameterResource("pg-password", _ => password, secret: true));

    private static string ConnectionString(RunningServer server, string password) => new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = server.Port,
        Username = "postgres",
        Password = password,
        Database = "postgres",
        Pooling = false,
    }.ConnectionString;

    private async Task PrepareAsync(PostgresLocalServer server, PostgresServerResource resource) =>
        await server.PrepareAsync(new(resource, 1, _folder, _ => { }), TestContext.Current.CancellationToken);

    private static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode;
    }

    private static void NeedsPostgres(string choice) =>
        Assert.SkipWhen(choice == "path" && (Tool.Find("postgres") is null || Tool.Find("initdb") is null), "postgres and initdb are not on the PATH.");
}
