using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Contracts.Declarative;

/// <summary>What a declarative document may refer to beyond itself.</summary>
/// <param name="Pepper">Pepper of the key hashes; see <see cref="KeyHash"/>.</param>
/// <param name="Envelope">Closes secrets that must be had in clear.</param>
/// <param name="Variable">Value of <c>${NAME}</c>, or null when there is none.</param>
public sealed record DeclarativeContext(ReadOnlyMemory<byte> Pepper, SecretEnvelope Envelope, Func<string, string?> Variable);

/// <summary>
/// The form in which people write configuration: a snapshot with names in place of ids, applications that hold their credentials and
/// subscriptions, and short operations (<c>GET /orders</c>). Everything else, policies above all, is written as the snapshot has it.
/// </summary>
/// <remarks>
/// The document is rewritten into the snapshot's own JSON and then read as strictly as a snapshot is: a member that a snapshot gains
/// can be declared at once. Ids are derived from names, so what refers to them (limits, usage) survives a change of the document.
/// </remarks>
public sealed class DeclarativeConfig
{
    /// <summary>What stands under an application here and in lists of its own in a snapshot.</summary>
    private static readonly string[] OwnedLists = ["credentials", "signingKeys", "certificates", "subscriptions"];

    private readonly DeclarativeContext _context;
    private readonly DeclaredSecrets _secrets;
    private readonly List<SnapshotProblem> _problems = [];

    /// <summary>Pointers into the snapshot whose place in the document is elsewhere.</summary>
    private readonly List<(string Snapshot, string Document)> _moved = [];

    /// <summary>The names behind the ids, for messages.</summary>
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);

    private DeclarativeConfig(DeclarativeContext context) => (_context, _secrets) = (context, new(context, Problem));

    /// <summary>The snapshot, or every problem with its pointer into <paramref name="document"/>.</summary>
    /// <param name="document">Is not changed.</param>
    /// <param name="revision">Number of the snapshot, from 1.</param>
    /// <param name="createdAt">UTC.</param>
    /// <param name="context">Pepper and variables.</param>
    public static (Snapshot? Snapshot, IReadOnlyList<SnapshotProblem> Problems) Read(
        JsonNode? document, long revision, DateTimeOffset createdAt, DeclarativeContext context)
    {
        var config = new DeclarativeConfig(context);
        var snapshot = config.Compile(document, revision, createdAt);
        return config._problems.Count == 0 ? (snapshot, []) : (null, config._problems);
    }

    /// <summary>The id of what has this name: the same in every run (UUID version 8, RFC 9562, 5.8).</summary>
    /// <param name="kind">For example <c>backend</c>.</param>
    /// <param name="name">Unique among its kind.</param>
    public static Guid IdOf(string kind, string name) => DeclaredName.IdOf(kind, name);

    private Snapshot? Compile(JsonNode? document, long revision, DateTimeOffset createdAt)
    {
        if (document is not JsonObject)
        {
            Problem("", "must be an object with apis, backends, plans and applications");
            return null;
        }

        var root = (JsonObject)document.DeepClone();
        DeclaredVariables.Substitute(root, _context.Variable, Problem);
        var owned = OwnedLists.ToDictionary(static list => list, static _ => new JsonArray());
        foreach (var list in (string[])["apis", "backends", "plans", "applications"])
        {
            root[list] ??= new JsonArray();
        }

        Each(root, "backends", static (backend, _) => Backend(backend));
        Each(root, "plans", static (plan, _) =>
        {
            plan["planId"] = DeclaredName.Of(plan, "plan");
            plan["rateLimits"] ??= new JsonArray();
        });
        Each(root, "apis", Api);
        Each(root, "applications", (application, at) => Application(application, at, owned));
        foreach (var (list, items) in owned)
        {
            root[list] = items;
        }

        root["revision"] = revision;
        root["createdAt"] = createdAt;
        if (_problems.Count > 0)
        {
            return null;
        }

        try
        {
            var snapshot = root.Deserialize(SnapshotJson.Default.Snapshot)!;
            foreach (var problem in SnapshotValidator.Validate(snapshot))
            {
                Problem(InDocument(problem.Pointer), _names.Aggregate(problem.Message, static (text, name) => text.Replace(name.Key, name.Value, StringComparison.Ordinal)));
            }

            return snapshot;
        }
        catch (JsonException e)
        {
            var (pointer, message) = JsonProblem.Of(e);
            Problem(InDocument(pointer), message);
            return null;
        }
    }

    private static void Backend(JsonObject backend)
    {
        backend["backendId"] = DeclaredName.Of(backend, "backend");
        if (!backend.ContainsKey("service"))
        {
            backend["service"] = null;
        }

        backend["addresses"] ??= new JsonArray();
    }

    private void Api(JsonObject api, string at)
    {
        var name = DeclaredName.Text(api, "name");
        api["apiId"] = DeclaredName.Of(api, "api");
        api["versionId"] = IdOf("version", $"{name}/{DeclaredName.Text(api, "version")}");
        api["revision"] ??= 1;
        Reference(api, "backend", "backendId", "backend", at);
        Each(api, "operations", at, (list, i) =>
        {
            if (list[i] is JsonValue value && value.TryGetValue(out string? text))
            {
                // "GET /orders/{id}": the method and the path are its name too.
                var parts = text.Split(' ', 2, StringSplitOptions.TrimEntries);
                list[i] = new JsonObject { ["operationId"] = text, ["method"] = parts[0], ["pathTemplate"] = parts.Length > 1 ? parts[1] : "" };
            }
            else if (list[i] is JsonObject operation && Rename(operation, "path", "pathTemplate"))
            {
                _moved.Add(($"{at}/operations/{i}/pathTemplate", $"{at}/operations/{i}/path"));
            }
        });
        References(api["policies"], $"{at}/policies");
    }

    private void Application(JsonObject application, string at, Dictionary<string, JsonArray> owned)
    {
        var id = DeclaredName.Of(application, "application");
        application["applicationId"] = id;
        application["organizationId"] = IdOf("organization", DeclaredName.Text(application, "organization") ?? "default");
        application.Remove("organization");
        application["suspended"] ??= false;
        foreach (var (list, all) in owned)
        {
            Each(application, list, at, (items, i) =>
            {
                var place = $"{at}/{list}/{i}";
                _moved.Add(($"/{list}/{all.Count}", place));
                if (items[i]?.DeepClone() is not JsonObject item)
                {
                    Problem(place, list == "subscriptions" ? "must be an object, such as { api: orders/v1, plan: standard }" : "must be an object, such as { key: ${ORDERS_KEY} }");
                    return;
                }

                item["applicationId"] = id;
                if (list == "subscriptions")
                {
                    item["subscriptionId"] ??= IdOf("subscription", $"{id:N}/{DeclaredName.Text(item, "api")}");
                    Reference(item, "api", "versionId", "version", place);
                    Reference(item, "plan", "planId", "plan", place);
                }
                else
                {
                    var credential = IdOf(list, $"{id:N}/{i}");
                    item["credentialId"] = credential;
                    _secrets.Replace(item, credential, place);
                }

                all.Add(item);
            });
            application.Remove(list);
        }
    }

    /// <summary>Policies name other things too: backends that stand in or share the traffic, applications that see a canary.</summary>
    private void References(JsonNode? node, string at)
    {
        switch (node)
        {
            case JsonObject members:
                Reference(members, "backend", "backendId", "backend", at);
                Reference(members, "alternateBackend", "alternateBackendId", "backend", at);
                if (members["applications"] is JsonArray applications)
                {
                    for (var i = 0; i < applications.Count; i++)
                    {
                        applications[i] = applications[i] is JsonValue value && value.TryGetValue(out string? name) ? IdOf("application", name) : applications[i]?.DeepClone();
                    }
                }

                foreach (var (name, member) in members.ToArray())
                {
                    References(member, $"{at}/{name}");
                }

                break;
            case JsonArray items:
                for (var i = 0; i < items.Count; i++)
                {
                    References(items[i], $"{at}/{i}");
                }

                break;
        }
    }

    /// <summary>Replaces a name by the id that belongs to it; whether something has that id is the validator's question.</summary>
    private void Reference(JsonObject owner, string member, string idMember, string kind, string at)
    {
        if (DeclaredName.Text(owner, member) is { } name)
        {
            var id = IdOf(kind, name);
            owner.Remove(member);
            owner[idMember] = id;
            _names[$"{id}"] = name;
            _moved.Add(($"{at}/{idMember}", $"{at}/{member}"));
            if (InSnapshot(at) is { } elsewhere)
            {
                _moved.Add(($"{elsewhere}/{idMember}", $"{at}/{member}"));
            }
        }
    }

    private static bool Rename(JsonObject owner, string from, string to)
    {
        if (!owner.TryGetPropertyValue(from, out var value))
        {
            return false;
        }

        owner.Remove(from);
        owner[to] = value;
        return true;
    }

    private void Each(JsonObject root, string list, Action<JsonObject, string> change) => Each(root, list, "", (items, i) =>
    {
        if (items[i] is JsonObject item)
        {
            change(item, $"/{list}/{i}");
        }
        else
        {
            Problem($"/{list}/{i}", "must be an object");
        }
    });

    private void Each(JsonObject owner, string list, string at, Action<JsonArray, int> change)
    {
        if (owner[list] is JsonArray items)
        {
            for (var i = 0; i < items.Count; i++)
            {
                change(items, i);
            }
        }
        else if (owner[list] is not null)
        {
            Problem($"{at}/{list}", "must be a list");
        }
    }

    private void Problem(string pointer, string message) => _problems.Add(new(pointer, message));

    private string? InSnapshot(string documentPointer) => _moved.LastOrDefault(m => m.Document == documentPointer).Snapshot;

    private string InDocument(string pointer)
    {
        // The longest prefix wins: a member that was renamed, before the list it stands in.
        foreach (var (snapshot, document) in _moved.OrderByDescending(static m => m.Snapshot.Length))
        {
            if (pointer.StartsWith(snapshot, StringComparison.Ordinal) && (pointer.Length == snapshot.Length || pointer[snapshot.Length] == '/'))
            {
                return document + pointer[snapshot.Length..];
            }
        }

        return pointer;
    }
}
