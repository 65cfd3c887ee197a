using System.CommandLine;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;

namespace OpenPlatform.Cli.Commands;

internal static class UsageCommand
{
    private const string Total = "total";

    private static readonly Column[] Columns =
    [
        new("start", "start"), new("organization", "organizationId"), new("application", "applicationId"), new("subscription", "subscriptionId"), new("api", "apiId"), new("version", "versionId"),
        new("operation", "operationId"), new("status", "status"), new("class", "statusClass"), new("units", "units"),
    ];

    public static Command Create()
    {
        var version = new Argument<string?>("version") { Description = "API and version, such as orders/v1; without it all.", Arity = ArgumentArity.ZeroOrOne };
        var from = Moment.Option("--from", "From this hour on; UTC unless it says otherwise.");
        var to = Moment.Option("--to", "Before this hour; UTC unless it says otherwise.");
        var status = new Option<string?>("--status") { Description = "One status, or a class of them such as 2xx." };
        var by = new Option<string>("--by") { Description = "What is told apart, separated by commas, as the admin API names it.", DefaultValueFactory = static _ => "application,version,operation,status" };
        var granularity = new Option<string>("--granularity") { Description = "hour, day, month or total.", DefaultValueFactory = static _ => Total };
        var command = new Command("usage", "What was answered and counts as billed, in units.") { version, from, to, status, by, granularity };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var query = new List<string> { "limit=200", $"groupBy={Uri.EscapeDataString(parsed.GetValue(by)!)}", $"granularity={Uri.EscapeDataString(parsed.GetValue(granularity)!)}" };
            if (parsed.GetValue(version) is { } named)
            {
                query.Add($"version={(await LifecycleCommands.FindAsync(catalog, named, cancellationToken)).Version["id"]}");
            }

            Add("status", parsed.GetValue(status));
            Add("from", parsed.GetValue(from)?.ToUniversalTime().ToString("O"));
            Add("to", parsed.GetValue(to)?.ToUniversalTime().ToString("O"));
            var rows = new JsonArray();
            await foreach (var row in catalog.ListAsync($"usage?{string.Join('&', query)}", cancellationToken))
            {
                rows.Add(row.DeepClone());
            }

            if (parsed.GetValue(Output.Format) is var format and not OutputFormat.Table)
            {
                Output.Write(rows, format);
                return (int)ExitCode.Done;
            }

            // What was told apart, whatever that was; what nobody asked for is in no row.
            Output.Table(rows.OfType<JsonNode>(), [.. Columns.Where(column => rows.Count == 0 || rows.Any(row => row![column.Path] is not null))]);
            return (int)ExitCode.Done;

            void Add(string name, string? value)
            {
                if (value is not null)
                {
                    query.Add($"{name}={Uri.EscapeDataString(value)}");
                }
            }
        });
        return command;
    }
}
