using Dapper;
using Npgsql;

namespace OpenPlatform.Catalog.Storage;

/// <summary>Brings a database to the newest migration. Any number of replicas may do so at once: an advisory lock puts them in a row.</summary>
internal sealed partial class MigrationRunner(NpgsqlDataSource database, TimeProvider time, ILogger<MigrationRunner> logger)
{
    // Any number, the same for every version of the catalog ("OPLTFMCT" in ASCII).
    private const long Lock = 0x4F504C54464D4354;

    /// <summary>Applies what is missing of <paramref name="migrations"/>, each in its own transaction.</summary>
    /// <exception cref="MigrationException">An applied migration was changed, one is missing in between, or one fails.</exception>
    /// <exception cref="NpgsqlException">The database cannot be reached: try again.</exception>
    public async Task RunAsync(IReadOnlyList<Migration> migrations, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using (var take = new NpgsqlCommand("select pg_advisory_lock($1)", connection) { Parameters = { new() { Value = Lock } } })
        {
            take.CommandTimeout = 0; // another replica may be at a long migration
            await take.ExecuteNonQueryAsync(cancellationToken);
        }

        try
        {
            await connection.ExecuteAsync(
                """
                create table if not exists schema_migrations (
                    number      integer primary key,
                    name        text not null,
                    checksum    bytea not null,
                    applied_at  timestamptz not null
                )
                """);
            var applied = (await connection.QueryAsync<Applied>("select number, name, checksum from schema_migrations order by number")).AsList();
            Compare(migrations, applied);
            foreach (var migration in migrations.Skip(applied.Count))
            {
                await ApplyAsync(connection, migration, cancellationToken);
            }
        }
        finally
        {
            // A broken connection has lost the lock already.
            if (connection.State == System.Data.ConnectionState.Open)
            {
                await connection.ExecuteAsync("select pg_advisory_unlock(@Lock)", new { Lock });
            }
        }
    }

    private void Compare(IReadOnlyList<Migration> migrations, List<Applied> applied)
    {
        for (var i = 0; i < applied.Count; i++)
        {
            if (applied[i].Number != i + 1)
            {
                throw new MigrationException($"The database has migration {applied[i].Name} but not number {i + 1}. Restore table schema_migrations or the database from a backup.");
            }

            if (i >= migrations.Count)
            {
                // A newer catalog was here; during a rolling update the older one goes on, since migrations only add.
                LogNewer(applied[i].Name);
            }
            else if (!migrations[i].Checksum.AsSpan().SequenceEqual(applied[i].Checksum))
            {
                throw new MigrationException($"Migration {migrations[i].Name} was changed after it was applied (as {applied[i].Name}). Undo the change and put it into a new migration.");
            }
        }
    }

    private async Task ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        try
        {
            await connection.ExecuteAsync(new CommandDefinition(migration.Sql, transaction: transaction, commandTimeout: 0, cancellationToken: cancellationToken));
        }
        catch (PostgresException exception) when (!DatabaseFaults.IsAway(exception))
        {
            throw new MigrationException($"Migration {migration.Name} failed and was rolled back: {exception.MessageText}", exception);
        }

        await connection.ExecuteAsync(
            "insert into schema_migrations (number, name, checksum, applied_at) values (@Number, @Name, @Checksum, @Now)",
            new { migration.Number, migration.Name, migration.Checksum, Now = time.GetUtcNow() }, transaction);
        await transaction.CommitAsync(cancellationToken);
        LogApplied(migration.Name);
    }

    private sealed record Applied(int Number, string Name, byte[] Checksum);

    [LoggerMessage(Level = LogLevel.Information, Message = "Migration {Migration} applied")]
    private partial void LogApplied(string migration);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The database has migration {Migration}, which this version does not know")]
    private partial void LogNewer(string migration);
}
