using System.CommandLine;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;

namespace OpenPlatform.Cli.Commands;

/// <summary>What makes a partner's program a caller: a credential, and a subscription that is approved.</summary>
internal static class PartnerCommands
{
    public static Command Issue()
    {
        var application = Application();
        var type = new Option<string>("--type") { Description = "api-key, hmac or client-secret: the catalog makes the secret and shows it this once.", DefaultValueFactory = static _ => "api-key" };
        type.AcceptOnlyFromAmong("api-key", "hmac", "client-secret");
        var name = new Option<string?>("--name") { Description = "What it is called." };
        var command = new Command("issue", "Issues a credential of an application and prints its secret, which nobody can see again.") { application, type, name };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var body = new JsonObject { ["applicationId"] = await FindApplicationAsync(catalog, parsed.GetValue(application)!, cancellationToken), ["type"] = parsed.GetValue(type) };
            if (parsed.GetValue(name) is { } called)
            {
                body["name"] = called;
            }

            return Print((await catalog.PostAsync("credentials", body, null, cancellationToken)).Body, parsed);
        });
        return command;
    }

    public static Command Subscribe()
    {
        var application = Application();
        var version = new Argument<string>("version") { Description = "API and version, such as orders/v1." };
        var plan = new Option<string>("--plan") { Description = "Name of the plan.", Required = true };
        var allowDeprecated = new Option<bool>("--allow-deprecated") { Description = "Also to a version that will end; for those who decide about subscriptions." };
        var command = new Command("subscribe", "Subscribes an application to a version; it is active at once or waits for approval, as the plan says.") { application, version, plan, allowDeprecated };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var body = new JsonObject
            {
                ["applicationId"] = await FindApplicationAsync(catalog, parsed.GetValue(application)!, cancellationToken),
                ["versionId"] = (await LifecycleCommands.FindAsync(catalog, parsed.GetValue(version)!, cancellationToken)).Version["id"]!.DeepClone(),
                ["planId"] = (await GetCommand.FindAsync(catalog, "plans", parsed.GetValue(plan)!, cancellationToken))["id"]!.DeepClone(),
            };
            if (parsed.GetValue(allowDeprecated))
            {
                body["allowDeprecated"] = true;
            }

            return Print((await catalog.PostAsync("subscriptions", body, null, cancellationToken)).Body, parsed);
        });
        return command;
    }

    public static Command Approve() => Decide("approve", "Lets a subscription's calls through that waits for it, or its change of plan.");

    public static Command Reject() => Decide("reject", "Refuses a subscription that waits, for good, or its change of plan.");

    private static Command Decide(string verb, string description)
    {
        var id = new Argument<Guid>("subscription") { Description = "Its id, as get subscriptions shows it." };
        var command = new Command(verb, description) { id };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var catalog = ConnectionOptions.Connect(parsed);
            var found = await catalog.GetAsync($"subscriptions/{parsed.GetValue(id)}", cancellationToken);
            return Print((await catalog.PostAsync($"subscriptions/{parsed.GetValue(id)}:{verb}", null, found.ETag ?? "*", cancellationToken)).Body, parsed);
        });
        return command;
    }

    private static Argument<string> Application() => new("application") { Description = "Organization and application, such as acme/shop, or an id." };

    /// <summary>Names of applications are unique in their organization alone.</summary>
    private static async Task<string> FindApplicationAsync(CatalogClient catalog, string named, CancellationToken cancellationToken)
    {
        if (Guid.TryParse(named, out _))
        {
            return named;
        }

        if (named.Split('/', 2) is not [{ Length: > 0 } owner, { Length: > 0 } name])
        {
            throw new CommandFailure(ExitCode.Usage, $"The application must be written as organization/application, such as acme/shop; is: {named}");
        }

        var organization = (await GetCommand.FindAsync(catalog, "organizations", owner, cancellationToken))["id"]!.ToString();
        await foreach (var application in catalog.ListAsync("applications?limit=200", cancellationToken))
        {
            if (application["organizationId"]!.ToString() == organization && application["name"]!.ToString() == name)
            {
                return application["id"]!.ToString();
            }
        }

        throw new CommandFailure(ExitCode.NotFound, $"There is no application {named}.");
    }

    private static int Print(JsonNode? made, ParseResult parsed)
    {
        Output.Write(made, parsed.GetValue(Output.Format) is OutputFormat.Json ? OutputFormat.Json : OutputFormat.Yaml);
        return (int)ExitCode.Done;
    }
}
