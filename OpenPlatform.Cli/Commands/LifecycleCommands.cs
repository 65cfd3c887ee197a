using System.CommandLine;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;

namespace OpenPlatform.Cli.Commands;

/// <summary>What is in force of a version: a draft that is published, an earlier revision that comes back.</summary>
internal static class LifecycleCommands
{
    public static Command Publish()
    {
        var version = Version();
        var revision = new Option<int?>("--revision") { Description = "The draft revision; without it the newest one." };
        var command = new Command("publish", "Puts a draft revision of a version into force, after it was compiled, linted and compared with the one before.") { version, revision };
        command.SetAction((parsed, cancellationToken) => MoveAsync(parsed, parsed.GetValue(version)!, "publish", parsed.GetValue(revision), cancellationToken));
        return command;
    }

    public static Command Rollback()
    {
        var version = Version();
        var revision = new Option<int>("--to") { Description = "The revision that is to be in force again.", Required = true };
        var command = new Command("rollback", "Puts an earlier published revision of a version into force again.") { version, revision };
        command.SetAction((parsed, cancellationToken) => MoveAsync(parsed, parsed.GetValue(version)!, "rollback", parsed.GetValue(revision), cancellationToken));
        return command;
    }

    private static Argument<string> Version() => new("version") { Description = "API and version, such as orders/v1." };

    private static async Task<int> MoveAsync(ParseResult parsed, string named, string verb, int? revision, CancellationToken cancellationToken)
    {
        if (named.Split('/') is not [{ Length: > 0 } name, { Length: > 0 } label])
        {
            throw new CommandFailure(ExitCode.Usage, $"The version must be written as API/version, such as orders/v1; is: {named}");
        }

        using var catalog = ConnectionOptions.Connect(parsed);
        var found = await GetCommand.FindAsync(catalog, "apis", name, cancellationToken);
        var api = await catalog.GetAsync($"apis/{found["id"]}", cancellationToken);
        var version = (api.Body!["versions"] as JsonArray ?? []).OfType<JsonNode>().FirstOrDefault(v => v["version"]?.ToString() == label)
            ?? throw new CommandFailure(ExitCode.NotFound, $"{name} has no version {label}.");
        var body = revision is null ? new JsonObject() : new JsonObject { ["revision"] = revision };
        var answer = await catalog.PostAsync($"apis/{found["id"]}/versions/{version["id"]}:{verb}", body, api.ETag ?? "*", cancellationToken);
        if (parsed.GetValue(Output.Format) is var format and not OutputFormat.Table)
        {
            Output.Write(answer.Body, format);
        }

        Output.Say($"{named}: done.");
        return (int)ExitCode.Done;
    }
}
