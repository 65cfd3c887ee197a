using System.Diagnostics;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using OpenPlatform.Catalog.Storage;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

[Collection(Beside.Name)]
public sealed class MigrationTests(SharedPostgres postgres)
{
    private static readonly Migration First = new(1, "0001_first.sql", "create table first (id integer);\ninsert into first values (1);");
    private static readonly Migration Second = new(2, "0002_second.sql", "create table second (id integer);");

    [Fact]
    public async Task Replicas_that_start_at_once_apply_each_migration_once()
    {
        await using var database = await DatabaseAsync();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Runner(database).RunAsync(Migrations.Embedded(), default)));

        await using var connection = await database.OpenConnectionAsync();
        Assert.Equal(
            Migrations.Embedded().Select(migration => migration.Name),
            await connection.QueryAsync<string>("select name from schema_migrations order by number"));
        Assert.Equal(1, await connection.ExecuteScalarAsync<long>("select count(*) from config_head"));
    }

    [Fact]
    public async Task Running_again_applies_only_what_is_new()
    {
        await using var database = await DatabaseAsync();
        await Runner(database).RunAsync([First], default);
        await Runner(database).RunAsync([First, Second], default);

        await using var connection = await database.OpenConnectionAsync();
        Assert.Equal(1, await connection.ExecuteScalarAsync<long>("select count(*) from first"));
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("select count(*) from second"));
    }

    [Fact]
    public async Task A_migration_that_was_changed_after_it_was_applied_is_refused_by_name()
    {
        await using var database = await DatabaseAsync();
        await Runner(database).RunAsync([First, Second], default);

        var error = await Assert.ThrowsAsync<MigrationException>(() =>
            Runner(database).RunAsync([First with { Sql = "create table other (id integer)" }, Second], default));

        Assert.Contains("0001_first.sql was changed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Line_ends_of_a_checkout_are_no_change()
    {
        await using var database = await DatabaseAsync();
        await Runner(database).RunAsync([First], default);
        await Runner(database).RunAsync([First with { Sql = First.Sql.ReplaceLineEndings("\r\n") }], default);
    }

    [Fact]
    public async Task A_gap_among_the_applied_is_refused()
    {
        await using var database = await DatabaseAsync();
        await Runner(database).RunAsync([First, Second], default);
        await using (var connection = await database.OpenConnectionAsync())
        {
            await connection.ExecuteAsync("delete from schema_migrations where number = 1");
        }

        var error = await Assert.ThrowsAsync<MigrationException>(() => Runner(database).RunAsync([First, Second], default));

        Assert.Contains("0002_second.sql but not number 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_gap_among_the_files_is_refused()
    {
        var error = Assert.Throws<MigrationException>(() => Migrations.Checked([First, new(3, "0003_third.sql", "")]));

        Assert.Contains("number 2 is missing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_migration_that_fails_leaves_nothing_and_says_why()
    {
        await using var database = await DatabaseAsync();
        var broken = new Migration(2, "0002_broken.sql", "create table half (id integer); select * from nowhere;");

        var error = await Assert.ThrowsAsync<MigrationException>(() => Runner(database).RunAsync([First, broken], default));

        Assert.Contains("0002_broken.sql failed", error.Message, StringComparison.Ordinal);
        Assert.Contains("nowhere", error.Message, StringComparison.Ordinal);
        await using var connection = await database.OpenConnectionAsync();
        Assert.False(await connection.ExecuteScalarAsync<bool>("select to_regclass('half') is not null"));
        Assert.Equal(1, await connection.ExecuteScalarAsync<long>("select count(*) from schema_migrations"));
    }

    [Fact]
    public async Task A_database_of_a_newer_version_is_accepted_during_a_rolling_update()
    {
        await using var database = await DatabaseAsync();
        await Runner(database).RunAsync([First, Second], default);
        await Runner(database).RunAsync([First], default);
    }

    [Fact]
    public async Task Migrate_mode_needs_nothing_but_the_database_and_ends_when_it_is_up_to_date()
    {
        var connectionString = await postgres.CreateDatabaseAsync();

        Assert.Equal((0, ""), await MigrateAsync(connectionString));
        Assert.Equal((0, ""), await MigrateAsync(connectionString));

        await using var database = NpgsqlDataSource.Create(connectionString);
        await using var connection = await database.OpenConnectionAsync();
        Assert.Equal(Migrations.Embedded().Count, await connection.ExecuteScalarAsync<int>("select count(*)::int from schema_migrations"));
        await connection.ExecuteAsync("update schema_migrations set checksum = 'x'");
        var (exitCode, said) = await MigrateAsync(connectionString);
        Assert.Equal(1, exitCode);
        Assert.Contains("was changed after it was applied", said, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Errors)> MigrateAsync(string connectionString)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "OpenPlatform.Catalog.dll"), "--migrate"])
        {
            WorkingDirectory = AppContext.BaseDirectory,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            Environment = { ["ConnectionStrings__catalogdb"] = connectionString },
        })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        await output;
        return (process.ExitCode, errors);
    }

    [Fact]
    public async Task A_database_that_does_not_fit_ends_the_process_with_an_error_that_says_why()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        await using (var database = NpgsqlDataSource.Create(connectionString))
        {
            await Runner(database).RunAsync(Migrations.Embedded(), default);
            await using var connection = await database.OpenConnectionAsync();
            await connection.ExecuteAsync("update schema_migrations set checksum = 'x'");
        }

        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "OpenPlatform.Catalog.dll")])
        {
            WorkingDirectory = AppContext.BaseDirectory,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment =
            {
                ["ASPNETCORE_URLS"] = "http://127.0.0.1:0", ["ConnectionStrings__catalogdb"] = connectionString, ["ConnectionStrings__redis"] = "127.0.0.1:1",
                ["OpenPlatform__AdminToken"] = CatalogServer.AdminToken, ["OpenPlatform__ServiceToken"] = CatalogServer.ServiceToken, ["OpenPlatform__KeyPepper"] = CatalogServer.Pepper,
            },
        })!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal(1, process.ExitCode);
            Assert.Contains("0001_catalog.sql was changed after it was applied", await output, StringComparison.Ordinal);
        }
        finally
        {
            process.Kill();
        }
    }

    private static MigrationRunner Runner(NpgsqlDataSource database) => new(database, TimeProvider.System, NullLogger<MigrationRunner>.Instance);

    private async Task<NpgsqlDataSource> DatabaseAsync()
    {
        new Microsoft.Extensions.DependencyInjection.ServiceCollection().AddStorage(); // Dapper's type handlers
        return NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
    }
}
