using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Changes;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Backends;

/// <summary>Backends in changesets, as the snapshot has them, without an id: <c>{ name: orders, addresses: [ … ], health: { … } }</c>.</summary>
internal sealed class DeclaredBackends : IDeclaredKind
{
    public string List => "backends";

    public int Order => 20;

    public Permission Write => Permission.WriteBackends;

    public string? NameOf(JsonObject item) => DeclaredJson.Text(item, "name");

    public async Task<IReadOnlyDictionary<string, JsonObject>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyCollection<string>? names, CancellationToken cancellationToken)
    {
        var rows = await connection.QueryAsync<(string Name, string Body)>(new(
            $"""
            select name, json_strip_nulls(json_build_object(
                'name', name, 'service', service, 'addresses', case when cardinality(addresses) > 0 then to_json(addresses) end,
                'protocol', protocol, 'balancing', balancing, 'health', health, 'dns', dns))::text
            from backends {(names is null ? "" : "where name = any(@names)")}
            """, new { names = names?.ToArray() }, transaction, cancellationToken: cancellationToken));
        return rows.ToDictionary(static row => row.Name, static row => JsonNode.Parse(row.Body)!.AsObject(), StringComparer.Ordinal);
    }

    public async Task PutAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report)
    {
        var backends = new List<(DeclaredItem Item, BackendModel Backend)>();
        foreach (var item in items)
        {
            if (DeclaredJson.Read<BackendRequest>(item, report) is not { } request)
            {
                continue;
            }

            var backend = request.Check();
            if (backend.Problem is { } wrong)
            {
                DeclaredJson.Report(item, wrong, report);
                continue;
            }

            backends.Add((item, backend.Value));
        }

        if (report.Problems.Count > 0)
        {
            return;
        }

        var ids = await BackendStore.PutAsync(change, [.. backends.Select(static put => put.Backend)]);
        foreach (var (item, _) in backends)
        {
            report.StandsAt(ids[item.Name], item.Pointer);
        }
    }

    public async Task DeleteAsync(ConfigChange change, IReadOnlyList<DeclaredName> names, DeclaredReport report)
    {
        var ids = (await change.Connection.QueryAsync<(string Name, Guid Id)>(change.Sql(
            "select name, id from backends where name = any(@names)", new { names = names.Select(static name => name.Name).ToArray() })))
            .ToDictionary(static row => row.Name, static row => row.Id, StringComparer.Ordinal);
        var used = (await BackendStore.InUseAsync(change, [.. ids.Values])).ToLookup(static use => use.Id, static use => use.Version);
        foreach (var name in names)
        {
            if (used[ids[name.Name]].FirstOrDefault() is { } version)
            {
                report.Problem(name.Pointer, $"backend {name.Name} is called by {version}");
            }
            else
            {
                await BackendStore.DeleteAsync(change, [ids[name.Name]]);
            }
        }
    }
}
