using System.CommandLine;
using System.Text.Json.Nodes;

namespace OpenPlatform.Cli.Commands;

internal static class ExplainCommand
{
    public static Command Create()
    {
        var path = new Argument<string?>("path") { Description = "Path of a request to describe, such as /orders/v1/orders. Without it: the latest requests.", Arity = ArgumentArity.ZeroOrOne };
        var gateway = GatewayPort.Address();
        var id = new Option<string?>("--id") { Description = "A request that was made: its X-Request-Id." };
        var method = new Option<string>("--method", "-X") { Description = "Method of the described request.", DefaultValueFactory = static _ => "GET" };
        var headers = new Option<string[]>("--header", "-H") { Description = "'Name: value' of the described request, such as 'X-Api-Key: …'; may be repeated." };
        var key = new Option<bool>("--with-key") { Description = "Asks for an API key, or reads it from standard input, so that it stands in no history." };
        var command = new Command("explain", "Shows what each step of a gateway decided about a request, or would decide.") { path, gateway, id, method, headers, key };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var described = (parsed.GetValue(headers) ?? []).Select(HeaderOf).ToList();
            if (parsed.GetValue(key))
            {
                described.Add(("Explain-X-Api-Key", Output.Secret("API key")));
            }

            var query = (parsed.GetValue(id), parsed.GetValue(path)) switch
            {
                ({ } request, _) => $"explain?id={Uri.EscapeDataString(request)}",
                (_, { } target) => $"explain?method={Uri.EscapeDataString(parsed.GetValue(method)!)}&path={Uri.EscapeDataString(target)}",
                _ => "explain",
            };
            using var port = GatewayPort.Open(parsed.GetValue(gateway)!);
            var answer = await port.SendAsync(HttpMethod.Get, query, described, cancellationToken)
                ?? throw new CommandFailure(ExitCode.NotFound, "The gateway does not remember that request: it keeps refusals and a sample of the others, the latest only.");
            Print(answer, parsed.GetValue(Output.Format));
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static (string, string) HeaderOf(string header) => header.Split(':', 2, StringSplitOptions.TrimEntries) is [{ Length: > 0 } name, var value]
        ? ($"Explain-{name}", value)
        : throw new CommandFailure(ExitCode.Usage, $"--header must be 'Name: value'; is: {header}");

    private static void Print(JsonNode answer, OutputFormat format)
    {
        if (format != OutputFormat.Table)
        {
            Output.Write(answer, format);
        }
        else if (answer is JsonArray latest)
        {
            Output.Table(latest.OfType<JsonNode>(), [new("at", "at"), new("status", "status"), new("method", "method"), new("route", "route"), new("refusal", "refusal"), new("µs", "microseconds"), new("id", "requestId")]);
        }
        else
        {
            Output.Table([answer], [new("status", "status"), new("refusal", "refusal"), new("route", "route"), new("application", "application"), new("plan", "plan"), new("instance", "instance"), new("µs", "microseconds")]);
            Console.Out.WriteLine();
            Output.Table((answer["steps"] as JsonArray ?? []).OfType<JsonNode>(), [new("step", "step"), new("µs", "microseconds"), new("decision", "decision")]);
        }
    }
}
