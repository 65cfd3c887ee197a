using System.CommandLine;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;

namespace OpenPlatform.Cli.Commands;

/// <summary>What is in force of a version: a draft that is published, an earlier revision that comes back; and how a version ends.</summary>
internal static class LifecycleCommands
{
    public static Command Publish()
    {
        var version = Version();
        var revision = new Option<int?>("--revision") { Description = "The draft revision; without it the newest one." };
        var command = new Command("publish", "Puts a draft revision of a version into force, after it was compiled, linted and compared with the one before.") { version, revision };
        command.SetAction((parsed, cancellationToken) => MoveAsync(parsed, parsed.GetValue(version)!, "publish", (_, _) => Revision(parsed.GetValue(revision)), cancellationToken));
        return command;
    }

    public static Command Rollback()
    {
        var version = Version();
        var revision = new Option<int>("--to") { Description = "The revision that is to be in force again.", Required = true };
        var command = new Command("rollback", "Puts an earlier published revision of a version into force again.") { version, revision };
        command.SetAction((parsed, cancellationToken) => MoveAsync(parsed, parsed.GetValue(version)!, "rollback", (_, _) => Revision(parsed.GetValue(revision)), cancellationToken));
        return command;
    }

    public static Command Deprecate()
    {
        var version = Version();
        var successor = new Option<string?>("--successor") { Description = "Version of the same API that takes its place, such as v2." };
        var sunset = Moment.Option("--sunset", "From when it may no longer answer, such as 2027-01-01; UTC unless it says otherwise.");
        var documentation = new Option<Uri?>("--documentation") { Description = "Where callers read more; https." };
        var command = new Command("deprecate", "Tells callers on every answer that a version will end; nobody new is let in.") { version, successor, sunset, documentation };
        command.SetAction((parsed, cancellationToken) => MoveAsync(parsed, parsed.GetValue(version)!, "deprecate", (api, named) => new JsonObject
        {
            ["successorId"] = parsed.GetValue(successor) is { } label ? Find(api, named, label)["id"]!.DeepClone() : null,
            ["sunsetAt"] = parsed.GetValue(sunset),
            ["documentation"] = parsed.GetValue(documentation)?.ToString(),
        }, cancellationToken));
        return command;
    }

    public static Command Retire()
    {
        var version = Version();
        var yes = new Option<bool>("--yes", "-y") { Description = "Does not ask." };
        var command = new Command("retire", "Ends a deprecated version, for good: it answers 410 from now on.") { version, yes };
        command.SetAction((parsed, cancellationToken) => parsed.GetValue(yes) || Output.Confirmed($"End {parsed.GetValue(version)} for good?", "--yes")
            ? MoveAsync(parsed, parsed.GetValue(version)!, "retire", static (_, _) => null, cancellationToken)
            : Task.FromResult((int)ExitCode.Done));
        return command;
    }

    /// <summary>The API and the version that are named so.</summary>
    public static async Task<(JsonNode Api, JsonNode Version, string? ETag)> FindAsync(CatalogClient catalog, string named, CancellationToken cancellationToken)
    {
        if (named.Split('/') is not [{ Length: > 0 } name, { Length: > 0 } label])
        {
            throw new CommandFailure(ExitCode.Usage, $"The version must be written as API/version, such as orders/v1; is: {named}");
        }

        var found = await GetCommand.FindAsync(catalog, "apis", name, cancellationToken);
        var api = await catalog.GetAsync($"apis/{found["id"]}", cancellationToken);
        return (api.Body!, Find(api.Body!, name, label), api.ETag);
    }

    private static Argument<string> Version() => new("version") { Description = "API and version, such as orders/v1." };

    private static JsonObject Revision(int? revision) => revision is null ? [] : new JsonObject { ["revision"] = revision };

    private static JsonNode Find(JsonNode api, string name, string label) =>
        (api["versions"] as JsonArray ?? []).OfType<JsonNode>().FirstOrDefault(v => v["version"]?.ToString() == label) ?? throw new CommandFailure(ExitCode.NotFound, $"{name} has no version {label}.");

    /// <param name="body">Made of the API and its name.</param>
    private static async Task<int> MoveAsync(ParseResult parsed, string named, string verb, Func<JsonNode, string, JsonObject?> body, CancellationToken cancellationToken)
    {
        using var catalog = ConnectionOptions.Connect(parsed);
        var (api, version, etag) = await FindAsync(catalog, named, cancellationToken);
        var answer = await catalog.PostAsync($"apis/{api["id"]}/versions/{version["id"]}:{verb}", body(api, named.Split('/')[0]), etag ?? "*", cancellationToken);
        if (parsed.GetValue(Output.Format) is var format and not OutputFormat.Table)
        {
            Output.Write(answer.Body, format);
        }

        Output.Say($"{named}: done.");
        return (int)ExitCode.Done;
    }
}
