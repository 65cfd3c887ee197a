using System.CommandLine;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Connection;

namespace OpenPlatform.Cli.Commands;

internal static class LoginCommand
{
    public static Command Login()
    {
        var account = new Option<string?>("--account") { Description = "Name of a local account; its password is asked for. Without it a token is: an admin token, a named token, or one of your identity provider." };
        var command = new Command("login", "Remembers a catalog and a token, after it has tried them. Token or password is typed, or comes on standard input.") { account };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var book = ServerBook.OfUser();
            var server = ConnectionOptions.ServerOf(parsed, book)
                ?? throw new CommandFailure(ExitCode.Usage, "Which catalog? Give --server, such as --server http://localhost:8090.");
            var token = parsed.GetValue(account) is { } name
                ? await TokenOfAsync(server, name, cancellationToken)
                : Output.Secret("Token");
            using var catalog = new CatalogClient(server, token);
            await catalog.GetAsync("apis?limit=1", cancellationToken);
            book.Remember(server, token);
            Output.Say($"Logged in to {server}.");
            return (int)ExitCode.Done;
        });
        return command;
    }

    public static Command Logout()
    {
        var command = new Command("logout", "Forgets the token of a catalog.");
        command.SetAction(static parsed =>
        {
            var book = ServerBook.OfUser();
            var server = ConnectionOptions.ServerOf(parsed, book) ?? throw new CommandFailure(ExitCode.Usage, "Not logged in anywhere.");
            Output.Say(book.Forget(server) ? $"Logged out of {server}." : $"Was not logged in to {server}.");
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static async Task<string> TokenOfAsync(Uri server, string account, CancellationToken cancellationToken)
    {
        using var catalog = new CatalogClient(server, null);
        var answer = await catalog.PostAsync("login", new JsonObject { ["name"] = account, ["password"] = Output.Secret("Password") }, null, cancellationToken);
        return answer.Body?["token"]?.GetValue<string>() ?? throw new CommandFailure(ExitCode.Unavailable, $"{server} answered a login without a token.");
    }
}
