using System.Text.Json;
using Dapper;
using Npgsql;
using NpgsqlTypes;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Changes;

internal sealed class ChangesetStore(NpgsqlDataSource database)
{
    public static async Task InsertAsync(ConfigChange change, Changeset changeset)
    {
        await using var insert = new NpgsqlCommand(
            "insert into changesets (id, created_at, actor, created, changed, deleted, content) values ($1, $2, $3, $4, $5, $6, $7)", change.Connection, change.Transaction)
        {
            Parameters =
            {
                new() { Value = changeset.Id },
                new() { Value = changeset.CreatedAt.UtcDateTime },
                new() { Value = changeset.Actor },
                new() { Value = changeset.Count(ChangeAction.Created) },
                new() { Value = changeset.Count(ChangeAction.Changed) },
                new() { Value = changeset.Count(ChangeAction.Deleted) },
                new() { Value = JsonSerializer.SerializeToUtf8Bytes(changeset, DeclaredJson.Options), NpgsqlDbType = NpgsqlDbType.Json },
            },
        };
        await insert.ExecuteNonQueryAsync(change.CancellationToken);
    }

    public async Task<Changeset?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var content = await connection.ExecuteScalarAsync<string?>(new("select content from changesets where id = @id", new { id }, cancellationToken: cancellationToken));
        return content is null ? null : JsonSerializer.Deserialize<Changeset>(content, DeclaredJson.Options)! with { Etag = 1 };
    }

    public async Task<IReadOnlyList<ChangesetSummary>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<ChangesetSummary>(new(
            "select id, created_at, actor, created, changed, deleted from changesets where id > @After order by id limit @Fetch", page, cancellationToken: cancellationToken))).AsList();
    }
}
