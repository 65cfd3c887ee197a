using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Changes;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Organizations;

/// <summary>Organizations in changesets: <c>{ name: acme }</c>.</summary>
internal sealed class DeclaredOrganizations : IDeclaredKind
{
    public string List => "organizations";

    public int Order => 10;

    public Permission Write => Permission.WriteOrganizations;

    public string? NameOf(JsonObject item) => DeclaredJson.Text(item, "name");

    public async Task<IReadOnlyDictionary<string, JsonObject>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyCollection<string>? names, CancellationToken cancellationToken)
    {
        var found = await connection.QueryAsync<string>(new(
            $"select name from organizations {(names is null ? "" : "where name = any(@names)")}", new { names = names?.ToArray() }, transaction, cancellationToken: cancellationToken));
        return found.ToDictionary(static name => name, static name => new JsonObject { ["name"] = name }, StringComparer.Ordinal);
    }

    public async Task PutAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report)
    {
        foreach (var item in items)
        {
            // All there is of it is its name: one that is there is as it is put.
            if (DeclaredJson.Read<OrganizationRequest>(item, report) is { } request
                && (request.Check() ?? (item.Current is null ? (await OrganizationStore.InsertAsync(change, request)).Problem : null)) is { } problem)
            {
                DeclaredJson.Report(item, problem, report);
            }
        }
    }

    public async Task DeleteAsync(ConfigChange change, IReadOnlyList<DeclaredName> names, DeclaredReport report)
    {
        var deleted = await OrganizationStore.DeleteUnusedAsync(change, [.. names.Select(static name => name.Name)]);
        foreach (var name in names.Where(name => !deleted.Contains(name.Name)))
        {
            report.Problem(name.Pointer, $"organization {name.Name} has applications, accounts or webhooks");
        }
    }
}
