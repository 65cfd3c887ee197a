using System.CommandLine;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;

namespace OpenPlatform.Cli.Commands;

internal static class GetCommand
{
    /// <summary>What a table shows of each kind; json and yaml show everything.</summary>
    internal static readonly Dictionary<string, (string Header, string Path)[]> Columns = new(StringComparer.Ordinal)
    {
        ["apis"] = [("name", "name"), ("versions", "versions"), ("id", "id")],
        ["backends"] = [("name", "name"), ("service", "service"), ("addresses", "addresses"), ("id", "id")],
        ["plans"] = [("name", "name"), ("state", "state"), ("approval", "approvalRequired"), ("id", "id")],
        ["organizations"] = [("name", "name"), ("id", "id")],
        ["applications"] = [("name", "name"), ("organization", "organizationId"), ("suspended", "suspended"), ("id", "id")],
        ["credentials"] = [("name", "name"), ("type", "type"), ("application", "applicationId"), ("expires", "expiresAt"), ("last used", "lastUsedOn"), ("id", "id")],
        ["subscriptions"] = [("state", "state"), ("application", "applicationId"), ("version", "versionId"), ("plan", "planId"), ("id", "id")],
        ["gateways"] = [("gateway", "id"), ("address", "address"), ("zone", "zone"), ("revision", "revision"), ("behind", "revisionsBehind"), ("lag ms", "lagMs"), ("seen", "seenAt")],
        ["config-revisions"] = [("revision", "revision"), ("created", "createdAt")],
        ["changesets"] = [("id", "id"), ("actor", "actor"), ("at", "createdAt")],
        ["webhooks"] = [("url", "url"), ("events", "eventTypes"), ("active", "active"), ("id", "id")],
        ["audit"] = [("#", "sequence"), ("at", "at"), ("actor", "actor"), ("action", "action"), ("kind", "kind"), ("id", "id"), ("changed", "changed")],
    };

    public static Command Create()
    {
        var kind = new Argument<string>("kind") { HelpName = "kind", Description = string.Join(", ", Columns.Keys) };
        kind.AcceptOnlyFromAmong([.. Columns.Keys]);
        var name = new Argument<string?>("name") { Description = "Name or id of one of them; without it all are listed.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("get", "Shows what is in the catalog.") { kind, name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var list = parsed.GetValue(kind)!;
            var format = parsed.GetValue(Output.Format);
            if (parsed.GetValue(name) is { } wanted)
            {
                var found = await FindAsync(catalog, list, wanted, cancellationToken);
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
                Output.Table(items.OfType<JsonNode>(), Columns[list]);
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
    public static async Task<JsonNode> FindAsync(CatalogClient catalog, string list, string wanted, CancellationToken cancellationToken)
    {
        if (Guid.TryParse(wanted, out _))
        {
            return (await catalog.GetAsync($"{list}/{wanted}", cancellationToken)).Body!;
        }

        await foreach (var item in catalog.ListAsync($"{list}?limit=200", cancellationToken))
        {
            if (item["name"]?.ToString() == wanted || item["id"]?.ToString() == wanted)
            {
                return item;
            }
        }

        throw new CommandFailure(ExitCode.NotFound, $"There is no {wanted} among {list}.");
    }
}
