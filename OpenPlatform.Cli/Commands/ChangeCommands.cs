using System.CommandLine;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;
using OpenPlatform.Cli.Documents;

namespace OpenPlatform.Cli.Commands;

/// <summary>Files as a changeset: what they would change, and changing it, all or nothing.</summary>
internal static class ChangeCommands
{
    public static Command Diff()
    {
        var files = Files();
        var command = new Command("diff", "Shows what the files would change, breaking changes, and whom they concern. Exit code 0: nothing, 1: something.") { files };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var answer = await SendAsync(catalog, Documents(parsed.GetValue(files)!), dryRun: true, cancellationToken);
            Print(answer, parsed.GetValue(Output.Format));
            return (int)(Changes(answer).Count == 0 ? ExitCode.Done : ExitCode.Differs);
        });
        return command;
    }

    public static Command Apply()
    {
        var files = Files();
        var yes = new Option<bool>("--yes", "-y") { Description = "Does not ask before it changes something." };
        var command = new Command("apply", "Makes the catalog as the files say, in one step that succeeds or fails as a whole. What the files do not name stays.") { files, yes };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var documents = Documents(parsed.GetValue(files)!);
            if (!parsed.GetValue(yes))
            {
                var planned = await SendAsync(catalog, documents, dryRun: true, cancellationToken);
                Print(planned, parsed.GetValue(Output.Format));
                if (Changes(planned).Count == 0)
                {
                    return (int)ExitCode.Done;
                }

                if (!Output.Confirmed($"Change {catalog.Server} so?", "--yes"))
                {
                    Output.Say("Nothing was changed.");
                    return (int)ExitCode.Done;
                }
            }

            var answer = await SendAsync(catalog, documents, dryRun: false, cancellationToken);
            Print(answer, parsed.GetValue(Output.Format));
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static Option<string[]> Files() => new("--file", "-f")
    {
        Description = "A YAML or JSON file, a folder of them, or - for standard input; may be repeated.",
        Required = true,
    };

    private static DocumentSet Documents(string[] files) => DocumentSet.Read(files, Environment.GetEnvironmentVariable);

    private static async Task<JsonNode> SendAsync(CatalogClient catalog, DocumentSet documents, bool dryRun, CancellationToken cancellationToken)
    {
        try
        {
            var body = new JsonObject { ["dryRun"] = dryRun, ["puts"] = documents.Root.DeepClone() };
            return (await catalog.PostAsync("changesets", body, null, cancellationToken)).Body!;
        }
        catch (CommandFailure failure) when (RefusedCall.FieldsOf(failure) is { Count: > 0 } fields)
        {
            foreach (var field in fields)
            {
                Output.Problem(documents.PlaceOf(WithoutRoot(field.Pointer)), field.Detail);
            }

            RefusedCall.AreSaid(failure);

            throw;
        }
    }

    private static string WithoutRoot(string pointer) => pointer.StartsWith("/puts", StringComparison.Ordinal) ? pointer["/puts".Length..] : pointer;

    private static IReadOnlyList<JsonNode> Changes(JsonNode answer) =>
        [.. (answer["changes"] as JsonArray ?? []).OfType<JsonNode>().Where(static c => c["action"]?.ToString() is not (null or "unchanged"))];

    private static void Print(JsonNode answer, OutputFormat format)
    {
        if (format != OutputFormat.Table)
        {
            Output.Write(answer, format);
            return;
        }

        var changes = Changes(answer);
        foreach (var change in changes)
        {
            var (sign, color) = change["action"]!.ToString() switch
            {
                "created" => ("+", "green"),
                "deleted" => ("-", "red"),
                _ => ("~", "yellow"),
            };
            var members = change["members"] is JsonArray { Count: > 0 } changed ? $" ({string.Join(", ", changed.Select(static m => m?.ToString()))})" : "";
            Output.Line($"[{color}]{sign}[/] {change["kind"]} {change["name"]}{members}");
        }

        foreach (var breaking in (answer["breaking"] as JsonArray ?? []).OfType<JsonNode>())
        {
            Output.Line($"[red]breaking[/] {breaking["name"]} {breaking["pointer"]}: {breaking["detail"]}");
        }

        foreach (var affected in (answer["affected"] as JsonArray ?? []).OfType<JsonNode>())
        {
            Output.Line($"[yellow]affects[/] {affected["application"] ?? affected["name"] ?? affected}");
        }

        Console.Out.WriteLine(changes.Count == 0 ? "Nothing changes." : $"{changes.Count} {(changes.Count == 1 ? "change" : "changes")}{(answer["dryRun"]?.GetValue<bool>() == true ? " to come" : " made")}.");
    }
}
