using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Backends;

internal sealed class BackendStore(NpgsqlDataSource database)
{
    private const string Columns = "id, name, service, addresses, protocol, balancing::text, health::text, dns::text, created_at, etag";

    internal const string ById = $"select {Columns} from backends where id = any(@keys)";

    private readonly KeyedReads<Guid, Row> _byId = new(database, ById, static (row, id) => row.Id == id);

    public async Task<Backend?> FindOrNullAsync(Guid id) => (await _byId.FindOrNullAsync(id))?.ToBackend();

    public async Task<IReadOnlyList<Backend>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new($"select {Columns} from backends where id > @After order by id limit @Fetch", page, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToBackend())];
    }

    /// <summary>The new backend, or a conflict about its name.</summary>
    public static async Task<Outcome<Backend>> InsertAsync(ConfigChange change, BackendModel backend)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql(
            $"""
            insert into backends (id, name, service, addresses, protocol, balancing, health, dns, created_at)
            values (@Id, @Name, @Service, @Addresses, @Protocol, @Balancing::jsonb, @Health::jsonb, @Dns::jsonb, @Now)
            on conflict (name) do nothing
            returning {Columns}
            """, Values(change, Guid.CreateVersion7(change.Now), backend)));
        if (row is null)
        {
            return CatalogProblem.Conflict("/name", $"there is a backend {backend.Name} already");
        }

        Emit(change, row.ToBackend(), "created");
        return row.ToBackend();
    }

    /// <summary>The backend with a merge patch applied, or a conflict about its name.</summary>
    public static async Task<Outcome<Backend>> PatchAsync(ConfigChange change, Guid id, MergePatch patch, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found;
        }

        var now = found.Value;
        var backend = patch.ApplyTo(new BackendRequest(now.Name, now.Service, now.Addresses, now.Protocol, now.Balancing, now.Health, now.Dns)).Check();
        if (backend.Problem is { } problem)
        {
            return problem;
        }

        if (await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from backends where name = @Name and id <> @id)", new { backend.Value.Name, id })))
        {
            return CatalogProblem.Conflict("/name", $"there is a backend {backend.Value.Name} already");
        }

        // What is the same as before is no change, and keeps its ETag.
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql(
            $"""
            update backends set name = @Name, service = @Service, addresses = @Addresses, protocol = @Protocol,
                balancing = @Balancing::jsonb, health = @Health::jsonb, dns = @Dns::jsonb, etag = etag + 1
            where id = @Id and (name, service, addresses, protocol, balancing, health, dns)
                is distinct from (@Name, @Service, @Addresses, @Protocol, @Balancing::jsonb, @Health::jsonb, @Dns::jsonb)
            returning {Columns}
            """, Values(change, id, backend.Value)));
        if (row is null)
        {
            return found;
        }

        change.PointerOf = (snapshot, pointer) => PointerOf(snapshot, id, pointer);
        Emit(change, row.ToBackend(), "changed");
        return row.ToBackend();
    }

    /// <summary>True, or a conflict while a revision in force calls it. Past revisions that called it cannot be rolled back to any more.</summary>
    public static async Task<Outcome<bool>> DeleteAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found.Problem;
        }

        if (await InUseAsync(change, [id]) is [var use, ..])
        {
            return CatalogProblem.Conflict("", $"{use.Version} calls it");
        }

        await DeleteAsync(change, [id]);
        return true;
    }

    /// <summary>Deletes backends of which it is known that nothing calls them.</summary>
    public static async Task DeleteAsync(ConfigChange change, Guid[] ids)
    {
        foreach (var row in await change.Connection.QueryAsync<Row>(change.Sql($"delete from backends where id = any(@ids) returning {Columns}", new { ids })))
        {
            Emit(change, row.ToBackend(), "deleted");
        }
    }

    /// <summary>Which of the backends are called by something that is in force or a draft, and by what: as their own backend, by a split or as a stand-in.</summary>
    public static async Task<IReadOnlyList<(Guid Id, string Version)>> InUseAsync(ConfigChange change, Guid[] ids) => (await change.Connection.QueryAsync<(Guid, string)>(change.Sql(
        """
        select b.id, a.name || '/' || v.version
        from unnest(@ids) b (id)
        join api_revisions r on r.backend_id = b.id or jsonb_path_exists(r.policies, '$.** ? (@.backendId == $id || @.alternateBackendId == $id)', jsonb_build_object('id', b.id))
        join api_versions v on v.id = r.version_id and (v.current_revision = r.revision or r.published_at is null)
        join apis a on a.id = v.api_id
        order by 2
        """, new { ids }))).AsList();

    private static async Task<Outcome<Backend>> LockAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"select {Columns} from backends where id = @id for update", new { id }));
        return row is null ? CatalogProblem.NotFound("backend", id)
            : ifMatch.Check(row.Etag) is { } problem ? problem
            : row.ToBackend();
    }

    private static string? PointerOf(Snapshot snapshot, Guid id, string pointer)
    {
        var prefix = $"/backends/{snapshot.Backends.Select(static backend => backend.BackendId).ToList().IndexOf(id)}/";
        return pointer.StartsWith(prefix, StringComparison.Ordinal) ? pointer[(prefix.Length - 1)..] : null;
    }

    /// <summary>Makes the backends of these names so, new or not, in one statement; one that is so already keeps its ETag. Gives their ids by name.</summary>
    public static async Task<IReadOnlyDictionary<string, Guid>> PutAsync(ConfigChange change, IReadOnlyList<BackendModel> backends)
    {
        var newIds = NewIds.Of(backends.Count, change.Now);
        var rows = (await change.Connection.QueryAsync<PutRow>(change.Sql(
            $"""
            insert into backends as b (id, name, service, addresses, protocol, balancing, health, dns, created_at)
            select id, name, service, addresses, protocol, balancing, health, dns, @Now
            from jsonb_to_recordset(@Rows::jsonb) as row (id uuid, name text, service text, addresses text[], protocol text, balancing jsonb, health jsonb, dns jsonb)
            on conflict (name) do update
                set service = excluded.service, addresses = excluded.addresses, protocol = excluded.protocol,
                    balancing = excluded.balancing, health = excluded.health, dns = excluded.dns, etag = b.etag + 1
                where (b.service, b.addresses, b.protocol, b.balancing, b.health, b.dns)
                    is distinct from (excluded.service, excluded.addresses, excluded.protocol, excluded.balancing, excluded.health, excluded.dns)
            returning {Columns}, etag = 1 as is_new
            """, new { Rows = JsonSerializer.Serialize(backends.Select((backend, i) => RowOf(newIds[i], backend))), change.Now }))).AsList();
        foreach (var row in rows)
        {
            Emit(change, row.ToBackend(), row.IsNew ? "created" : "changed");
        }

        var ids = await change.Connection.QueryAsync<(string Name, Guid Id)>(change.Sql(
            "select name, id from backends where name = any(@Names)", new { Names = backends.Select(static backend => backend.Name).ToArray() }));
        return ids.ToDictionary(static row => row.Name, static row => row.Id, StringComparer.Ordinal);
    }

    private static void Emit(ConfigChange change, Backend backend, string what) => change.Emit($"openplatform.backend.{what}", $"backends/{backend.Id}", backend);

    private static JsonObject RowOf(Guid id, BackendModel backend) => new()
    {
        ["id"] = id,
        ["name"] = backend.Name,
        ["service"] = backend.Service,
        ["addresses"] = new JsonArray([.. backend.Addresses.Select(static address => (JsonNode)address.OriginalString)]),
        ["protocol"] = backend.Protocol,
        ["balancing"] = JsonSerializer.SerializeToNode(backend.Balancing!, SnapshotJson.Default.BalancingPolicy),
        ["health"] = JsonSerializer.SerializeToNode(backend.Health!, SnapshotJson.Default.HealthPolicy),
        ["dns"] = JsonSerializer.SerializeToNode(backend.Dns!, SnapshotJson.Default.DnsModel),
    };

    private static object Values(ConfigChange change, Guid id, BackendModel backend) => new
    {
        Id = id, backend.Name, backend.Service, Addresses = backend.Addresses.Select(static address => address.OriginalString).ToArray(), backend.Protocol,
        Balancing = PolicyJson.Text(backend.Balancing, SnapshotJson.Default.BalancingPolicy),
        Health = PolicyJson.Text(backend.Health, SnapshotJson.Default.HealthPolicy),
        Dns = PolicyJson.Text(backend.Dns, SnapshotJson.Default.DnsModel),
        change.Now,
    };

    private sealed record PutRow(
        Guid Id, string Name, string? Service, string[] Addresses, string? Protocol, string? Balancing, string? Health, string? Dns, DateTimeOffset CreatedAt, long Etag, bool IsNew)
    {
        public Backend ToBackend() => new Row(Id, Name, Service, Addresses, Protocol, Balancing, Health, Dns, CreatedAt, Etag).ToBackend();
    }

    private sealed record Row(
        Guid Id, string Name, string? Service, string[] Addresses, string? Protocol, string? Balancing, string? Health, string? Dns, DateTimeOffset CreatedAt, long Etag)
    {
        public Backend ToBackend() =>
            new(Id, Name, Service, Addresses, Protocol, PolicyJson.Element(Balancing), PolicyJson.Element(Health), PolicyJson.Element(Dns), CreatedAt, Etag);
    }
}
