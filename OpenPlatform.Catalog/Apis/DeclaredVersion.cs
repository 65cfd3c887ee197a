using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Apis;

/// <summary>One API version of a changeset; members as in docs/snapshot-file.md and <see cref="ApiRequest"/>.</summary>
internal sealed record DeclaredVersion(
    string? Name, string? Version, string? BasePath, string? Backend, JsonNode? Operations = null, JsonNode? OpenApi = null, JsonNode? Policies = null,
    IReadOnlyDictionary<string, JsonElement>? OperationPolicies = null, bool ValidateBodies = false, bool RequireScopes = false, bool KeepExamples = false,
    DeclaredEnd? Lifecycle = null, DeclaredBlock? Blocked = null);

/// <param name="State"><c>published</c>, <c>deprecated</c> or <c>retired</c>.</param>
/// <param name="Successor">The base path of another version of the API.</param>
internal sealed record DeclaredEnd(
    string? State, DateTimeOffset? DeprecatedAt = null, DateTimeOffset? SunsetAt = null, string? Successor = null, string? Documentation = null);

internal sealed record DeclaredBlock(string? Reason, DateTimeOffset? Until = null);

/// <summary>Operations as people write them: <c>GET /orders/{id}</c>, or an object with <c>method</c> and <c>path</c>.</summary>
internal static class DeclaredOperations
{
    public static IReadOnlyList<OperationRequest?>? ToRequests(JsonNode? operations, Action<string, string> problem)
    {
        if (operations is not JsonArray list)
        {
            if (operations is not null)
            {
                problem("", "must be a list");
            }

            return null;
        }

        return [.. list.Select((item, i) => ToRequest(item, $"/{i}", problem))];
    }

    public static JsonNode ToItem(string operationId, string method, string path, string? policies)
    {
        var item = new JsonObject { ["operationId"] = operationId, ["method"] = method, ["path"] = path };
        if (policies is not null)
        {
            item["policies"] = JsonNode.Parse(policies);
        }

        return item;
    }

    private static OperationRequest? ToRequest(JsonNode? item, string at, Action<string, string> problem)
    {
        if (item is JsonValue value && value.TryGetValue(out string? text))
        {
            var parts = text.Split(' ', 2, StringSplitOptions.TrimEntries);
            return new(text, parts[0], parts.Length > 1 ? parts[1] : "");
        }

        if (item is not JsonObject members)
        {
            problem(at, "must be a text such as GET /orders, or an object with operationId, method and path");
            return null;
        }

        foreach (var name in members.Select(static member => member.Key).Except(["operationId", "method", "path", "pathTemplate", "policies"], StringComparer.Ordinal))
        {
            problem($"{at}/{ProblemExceptionHandler.Escape(name)}", "is not known here; check its spelling and its place");
        }

        return new(Text("operationId"), Text("method"), Text("path") ?? Text("pathTemplate"), members["policies"] is { } policies ? JsonSerializer.SerializeToElement(policies) : null);

        string? Text(string name) => members[name] is JsonValue found && found.TryGetValue(out string? said) ? said : null;
    }
}

/// <summary>Names and ids of what policies refer to: backends, and applications as <c>organization/application</c>.</summary>
internal sealed record KnownNames(IReadOnlyDictionary<string, Guid> Backends, IReadOnlyDictionary<string, Guid> Applications)
{
    private readonly Lazy<(IReadOnlyDictionary<Guid, string> Backends, IReadOnlyDictionary<Guid, string> Applications)> _names = new(() =>
        (Backends.ToDictionary(static known => known.Value, static known => known.Key), Applications.ToDictionary(static known => known.Value, static known => known.Key)));

    /// <summary>Applications that are not there yet, under the ids that they will have.</summary>
    public IReadOnlyDictionary<string, Guid> NewApplications { get; init; } = new Dictionary<string, Guid>();

    private static readonly (string Name, string Id)[] References = [("backend", "backendId"), ("alternateBackend", "alternateBackendId")];

    /// <param name="mayBeNew">True: policies that are not stored yet name applications, too.</param>
    public static async Task<KnownNames> ReadAsync(Npgsql.NpgsqlConnection connection, Npgsql.NpgsqlTransaction transaction, bool mayBeNew, CancellationToken cancellationToken)
    {
        // Applications are many, and few policies name one: only those that do are read.
        await using var rows = await Dapper.SqlMapper.QueryMultipleAsync(connection, new Dapper.CommandDefinition(
            """
            select name, id from backends;
            select o.name || '/' || a.name as name, a.id from applications a join organizations o on o.id = a.organization_id
            where @mayBeNew or exists (select from api_revisions r where r.policies ? 'split')
            """, new { mayBeNew }, transaction, cancellationToken: cancellationToken));
        var backends = (await rows.ReadAsync<(string Name, Guid Id)>()).ToDictionary(static row => row.Name, static row => row.Id, StringComparer.Ordinal);
        var applications = (await rows.ReadAsync<(string Name, Guid Id)>()).ToDictionary(static row => row.Name, static row => row.Id, StringComparer.Ordinal);
        return new(backends, applications);
    }

    /// <summary>Policies with ids in place of names, as requests have them.</summary>
    public JsonElement? ToIds(JsonNode? policies, Action<string, string> problem)
    {
        if (policies is null)
        {
            return null;
        }

        var changed = policies.DeepClone();
        Walk(changed, "", (owner, at) =>
        {
            foreach (var (name, id) in References)
            {
                if (owner[name] is JsonValue value && value.TryGetValue(out string? text))
                {
                    if (!Backends.TryGetValue(text, out var known))
                    {
                        problem($"{at}/{name}", $"names no backend: {text}");
                    }

                    owner.Remove(name);
                    owner[id] = known;
                }
            }

            for (var i = 0; i < (owner["applications"] as JsonArray)?.Count; i++)
            {
                if (owner["applications"]![i] is JsonValue value && value.TryGetValue(out string? text))
                {
                    if (!Applications.TryGetValue(text, out var known) && !NewApplications.TryGetValue(text, out known))
                    {
                        problem($"{at}/applications/{i}", $"names no application, written as organization/application: {text}");
                    }

                    owner["applications"]![i] = known;
                }
            }
        });
        return JsonSerializer.SerializeToElement(changed);
    }

    /// <summary>Policies with names in place of ids, as people write them.</summary>
    public JsonNode ToNames(JsonNode policies)
    {
        var (backends, applications) = _names.Value;
        Walk(policies, "", (owner, _) =>
        {
            foreach (var (name, id) in References)
            {
                if (owner[id] is JsonValue value && value.TryGetValue(out string? text) && Guid.TryParse(text, out var guid) && backends.TryGetValue(guid, out var known))
                {
                    owner.Remove(id);
                    owner[name] = known;
                }
            }

            for (var i = 0; i < (owner["applications"] as JsonArray)?.Count; i++)
            {
                if (Guid.TryParse($"{owner["applications"]![i]}", out var guid) && applications.TryGetValue(guid, out var known))
                {
                    owner["applications"]![i] = known;
                }
            }
        });
        return policies;
    }

    /// <summary>Every object of the policies but those that are schemas, whose members have names of their own.</summary>
    private static void Walk(JsonNode node, string at, Action<JsonObject, string> change)
    {
        if (node is JsonObject members)
        {
            change(members, at);
            foreach (var (name, value) in members.ToArray().Where(static member => member.Key != "schemas" && member.Value is not null))
            {
                Walk(value!, $"{at}/{name}", change);
            }
        }
        else if (node is JsonArray items)
        {
            for (var i = 0; i < items.Count; i++)
            {
                if (items[i] is { } item)
                {
                    Walk(item, $"{at}/{i}", change);
                }
            }
        }
    }
}
