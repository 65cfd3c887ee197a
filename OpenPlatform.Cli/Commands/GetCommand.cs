using System.CommandLine;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;

namespace OpenPlatform.Cli.Commands;

/// <summary>A list of the catalog.</summary>
/// <param name="Path">Below <c>/admin/v1/</c>, as its OpenAPI document writes it; with <c>{id}</c> when it is the list of another thing.</param>
/// <param name="Columns">What a table shows; json and yaml show everything.</param>
/// <param name="Of">How that other thing is written, such as <c>API/VERSION</c>; null: the list belongs to nothing.</param>
/// <param name="NamedBy">Members that name one of them; null: name or id.</param>
/// <param name="Reads">How one is read without reading all.</param>
internal sealed record Kind(string Path, Column[] Columns, string? Of = null, string[]? NamedBy = null, OneIsRead Reads = OneIsRead.Never)
{
    public IReadOnlyList<string> Keys => NamedBy ?? ["name", "id"];
}

/// <summary>Whether the admin API has a single one of a kind at an address of its own.</summary>
internal enum OneIsRead
{
    Never,
    ById,

    /// <summary>Under the number that names it.</summary>
    ByNumber,
}

internal static class GetCommand
{
    internal static readonly Dictionary<string, Kind> Kinds = new(StringComparer.Ordinal)
    {
        ["apis"] = new("apis", [new("name", "name"), new("versions", "versions", "version"), new("id", "id")], Reads: OneIsRead.ById),
        ["versions"] = new("apis/{id}/versions",
            [new("version", "version"), new("state", "state"), new("revision", "revision"), new("draft", "draft"), new("base path", "basePath"), new("blocked", "blocked.reason"), new("id", "id")],
            "API", ["version", "id"]),
        ["revisions"] = new("apis/{id}/versions/{versionId}/revisions",
            [new("revision", "revision"), new("in force", "inForce"), new("published", "publishedAt"), new("created", "createdAt"), new("findings", "findings", "rule")],
            "API/VERSION", ["revision"], OneIsRead.ByNumber),
        ["callers"] = new("apis/{id}/versions/{versionId}/callers",
            [new("application", "application"), new("organization", "organization"), new("units", "units"), new("last hour", "lastHour"), new("id", "applicationId")],
            "API/VERSION", ["application", "applicationId"]),
        ["backends"] = new("backends", [new("name", "name"), new("service", "service"), new("addresses", "addresses"), new("id", "id")], Reads: OneIsRead.ById),
        ["instances"] = new("backends/{id}/instances",
            [new("address", "address"), new("zone", "zone"), new("source", "source"), new("weight", "weight"), new("gateways", "gateways", "gateway", "state", "ejectedBecause"), new("id", "id")],
            "BACKEND", ["address", "id"]),
        ["plans"] = new("plans", [new("name", "name"), new("state", "state"), new("approval", "approvalRequired"), new("id", "id")], Reads: OneIsRead.ById),
        ["plan-revisions"] = new("plans/{id}/revisions",
            [new("revision", "revision"), new("requests, seconds", "rateLimits", "requests", "windowSeconds"), new("schemes", "schemes"), new("created", "createdAt")], "PLAN", ["revision"]),
        ["organizations"] = new("organizations", [new("name", "name"), new("id", "id")], Reads: OneIsRead.ById),
        ["applications"] = new("applications", [new("name", "name"), new("organization", "organizationId"), new("suspended", "suspended"), new("id", "id")], Reads: OneIsRead.ById),
        ["credentials"] = new("credentials",
            [new("name", "name"), new("type", "type"), new("application", "applicationId"), new("expires", "expiresAt"), new("last used", "lastUsedOn"), new("id", "id")], Reads: OneIsRead.ById),
        ["subscriptions"] = new("subscriptions",
            [new("state", "state"), new("application", "applicationId"), new("version", "versionId"), new("plan", "planId"), new("id", "id")], Reads: OneIsRead.ById),
        ["gateways"] = new("gateways",
            [
                new("gateway", "id"), new("address", "address"), new("zone", "zone"), new("revision", "revision"), new("behind", "revisionsBehind"), new("lag ms", "lagMs"), new("seen", "seenAt"),
                new("refused", "refused", "shard", "reason"),
            ]),
        ["config-revisions"] = new("config-revisions", [new("revision", "revision"), new("created", "createdAt"), new("active", "active"), new("changed", "changed")],
            NamedBy: ["revision"], Reads: OneIsRead.ByNumber),
        ["changesets"] = new("changesets", [new("id", "id"), new("actor", "actor"), new("at", "createdAt")], Reads: OneIsRead.ById),
        ["webhooks"] = new("webhooks", [new("url", "url"), new("events", "eventTypes"), new("active", "active"), new("id", "id")], NamedBy: ["id", "url"], Reads: OneIsRead.ById),
        ["deliveries"] = new("webhooks/{id}/deliveries",
            [new("type", "type"), new("subject", "subject"), new("state", "state"), new("tries", "attempts"), new("next", "nextAttemptAt"), new("error", "lastError"), new("id", "id")], "WEBHOOK", ["id"]),
        ["accounts"] = new("accounts", [new("name", "name"), new("roles", "roles"), new("organization", "organizationId"), new("disabled", "disabled"), new("id", "id")], Reads: OneIsRead.ById),
        ["tokens"] = new("tokens",
            [new("name", "name"), new("roles", "roles"), new("expires", "expiresAt"), new("revoked", "revokedAt"), new("last used", "lastUsedOn"), new("id", "id")], Reads: OneIsRead.ById),
        ["token-keys"] = new("token-keys", [new("signs from", "signsFrom"), new("created", "createdAt"), new("id", "id")]),
        ["jobs"] = new("jobs", [new("name", "name"), new("seconds", "intervalSeconds"), new("last", "lastRun.finishedAt"), new("good", "lastRun.succeeded"), new("detail", "lastRun.detail")]),
        ["audit"] = new("audit",
            [new("#", "sequence"), new("at", "at"), new("actor", "actor"), new("action", "action"), new("kind", "kind"), new("id", "id"), new("changed", "changed")], NamedBy: ["sequence"]),
    };

    public static Command Create()
    {
        var kind = new Argument<string>("kind") { HelpName = "kind", Description = string.Join(", ", Kinds.Keys) };
        kind.AcceptOnlyFromAmong([.. Kinds.Keys]);
        var name = new Argument<string?>("name")
        {
            Description = "Name or id of one of them; without it all are listed. What belongs to something is named behind it: versions orders, revisions orders/v1, revisions orders/v1/2.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var command = new Command("get", "Shows what is in the catalog.") { kind, name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var format = parsed.GetValue(Output.Format);
            var shown = Kinds[parsed.GetValue(kind)!];
            var (list, wanted) = await PlaceAsync(catalog, parsed.GetValue(kind)!, parsed.GetValue(name), cancellationToken);
            if (wanted is not null)
            {
                var found = await FindAsync(catalog, shown, list, wanted, cancellationToken);
                Output.Write(found, format == OutputFormat.Table ? OutputFormat.Yaml : format);
                return (int)ExitCode.Done;
            }

            var items = new JsonArray();
            await foreach (var item in catalog.ListAsync($"{list}?limit=200", cancellationToken))
            {
                items.Add(item.DeepClone());
            }

            if (format == OutputFormat.Table)
            {
                Output.Table(items.OfType<JsonNode>(), shown.Columns);
            }
            else
            {
                Output.Write(items, format);
            }

            return (int)ExitCode.Done;
        });
        return command;
    }

    /// <summary>By id, or by name among all of its kind.</summary>
    public static Task<JsonNode> FindAsync(CatalogClient catalog, string list, string wanted, CancellationToken cancellationToken) =>
        FindAsync(catalog, Kinds[list], list, wanted, cancellationToken);

    private static async Task<JsonNode> FindAsync(CatalogClient catalog, Kind kind, string list, string wanted, CancellationToken cancellationToken)
    {
        if (kind.Reads == OneIsRead.ById ? Guid.TryParse(wanted, out _) : kind.Reads == OneIsRead.ByNumber && wanted.All(char.IsAsciiDigit))
        {
            return (await catalog.GetAsync($"{list}/{wanted}", cancellationToken)).Body!;
        }

        await foreach (var item in catalog.ListAsync($"{list}?limit=200", cancellationToken))
        {
            if (kind.Keys.Any(key => item[key]?.ToString() == wanted))
            {
                return item;
            }
        }

        throw new CommandFailure(ExitCode.NotFound, $"There is no {wanted} among {list}.");
    }

    /// <summary>The list with the ids of what it belongs to, and what was named behind that.</summary>
    private static async Task<(string List, string? Wanted)> PlaceAsync(CatalogClient catalog, string kind, string? named, CancellationToken cancellationToken)
    {
        var path = Kinds[kind].Path;
        if (Kinds[kind].Of is not { } of)
        {
            return (path, named);
        }

        var depth = of.Split('/').Length;
        var parts = (named ?? "").Split('/', depth + 1);
        if (parts.Length < depth || parts.Contains(""))
        {
            throw new CommandFailure(ExitCode.Usage, $"Which {kind}? Write: openplatform get {kind} {of}");
        }

        if (depth == 2)
        {
            var (api, version, _) = await LifecycleCommands.FindAsync(catalog, $"{parts[0]}/{parts[1]}", cancellationToken);
            path = path.Replace("{id}", $"{api["id"]}", StringComparison.Ordinal).Replace("{versionId}", $"{version["id"]}", StringComparison.Ordinal);
        }
        else
        {
            var owner = await FindAsync(catalog, path.Split('/')[0], parts[0], cancellationToken);
            path = path.Replace("{id}", $"{owner["id"]}", StringComparison.Ordinal);
        }

        return (path, parts.ElementAtOrDefault(depth));
    }
}
