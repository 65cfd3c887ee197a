using System.Diagnostics;
using Dapper;
using Npgsql;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.Publishing.Kubernetes;

/// <summary>The commands of the published backup and restore, run by a shell against a real server.</summary>
public sealed class BackupTests : IDisposable
{
    private readonly DirectoryInfo _volume = Directory.CreateTempSubdirectory("backups-");

    public void Dispose() => _volume.Delete(recursive: true);

    [Fact]
    public async Task What_was_dumped_last_comes_back_and_old_dumps_go()
    {
        Assert.SkipWhen(!File.Exists("/usr/bin/pg_dump") && Environment.GetEnvironmentVariable("CI") != "true", "Needs pg_dump and pg_restore.");
        var objects = (await Variants.AppHostAsync("")).Base();
        await using var server = await PostgresServer.StartNewAsync();
        var connectionString = await server.CreateDatabaseAsync();
        await using var database = NpgsqlDataSource.Create(connectionString);
        await using var connection = await database.OpenConnectionAsync();
        await connection.ExecuteAsync("create table kept (id integer primary key); insert into kept values (1), (2)");
        var expired = Path.Combine(_volume.FullName, "catalogdb-20200101T000000Z.dump");
        await File.WriteAllTextAsync(expired, "");
        File.SetLastWriteTimeUtc(expired, DateTime.UtcNow - TimeSpan.FromDays(30));

        await RunAsync(objects, "postgres-backup", connectionString);

        var dump = Assert.Single(_volume.GetFiles());
        Assert.EndsWith(".dump", dump.Name, StringComparison.Ordinal);

        await connection.ExecuteAsync("delete from kept; create table later (id integer)");
        await RunAsync(objects, "postgres-restore", connectionString);

        NpgsqlConnection.ClearAllPools();
        Assert.Equal([1, 2], await connection.QueryAsync<int>("select id from kept order by id"));
    }

    [Fact]
    public async Task A_restore_without_a_dump_changes_nothing_and_fails()
    {
        Assert.SkipWhen(!File.Exists("/usr/bin/pg_dump") && Environment.GetEnvironmentVariable("CI") != "true", "Needs pg_dump and pg_restore.");
        var objects = (await Variants.AppHostAsync("")).Base();
        await RunAsync(objects, "postgres-restore", "Host=127.0.0.1;Port=1;Username=x;Password=x;Database=x", fails: true);
    }

    private async Task RunAsync(IReadOnlyList<Manifest> objects, string name, string connectionString, bool fails = false)
    {
        var container = objects.Single(o => o.Kind == "CronJob" && o.Name == name).Items("spec", "jobTemplate", "spec", "template", "spec", "containers").Single();
        var to = new NpgsqlConnectionStringBuilder(connectionString);
        var script = ((string)container["args"]![0]!).Replace("$$(", "$(", StringComparison.Ordinal) // as the kubelet does
            .Replace("/backups", _volume.FullName, StringComparison.Ordinal).Replace("in catalogdb;", $"in {to.Database};", StringComparison.Ordinal);
        var start = new ProcessStartInfo("/bin/sh", ["-euc", script]) { RedirectStandardError = true, RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
        foreach (var variable in container["env"]!.AsArray().Where(v => v!["value"] is not null))
        {
            start.Environment[(string)variable!["name"]!] = (string)variable["value"]!;
        }

        (start.Environment["PGHOST"], start.Environment["PGPORT"], start.Environment["PGUSER"], start.Environment["PGPASSWORD"]) = (to.Host, $"{to.Port}", to.Username, to.Password);
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode != 0 == fails, await output + errors);
    }
}
