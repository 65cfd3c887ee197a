using System.CommandLine;

namespace OpenPlatform.Cli.Connection;

/// <summary>Which catalog, and with which token. A token is never an argument: arguments stand in process lists and histories.</summary>
internal static class ConnectionOptions
{
    public const string ServerVariable = "OPENPLATFORM_SERVER", TokenVariable = "OPENPLATFORM_TOKEN";

    public static Option<Uri?> Server { get; } = new("--server")
    {
        Description = $"The catalog, such as http://localhost:8090. Without it: {ServerVariable}, then the one of the last login. The token is {TokenVariable}, or the one of the login.",
        Recursive = true,
        CustomParser = static result => UrlOf(result.Tokens.Single().Value, message => result.AddError($"--server {message}")),
    };

    /// <exception cref="CommandFailure">No catalog or no token is known.</exception>
    public static CatalogClient Connect(ParseResult parsed)
    {
        var book = ServerBook.OfUser();
        var server = ServerOf(parsed, book)
            ?? throw new CommandFailure(ExitCode.Usage, $"Which catalog? Log in first (openplatform login --server URL), or give --server or {ServerVariable}.");
        var token = Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } given ? given : book.TokenOf(server);
        return token is null
            ? throw new CommandFailure(ExitCode.Denied, $"Not logged in to {server}. Run: openplatform login --server {server} (or set {TokenVariable}).")
            : new(server, token);
    }

    public static Uri? ServerOf(ParseResult parsed, ServerBook book) =>
        parsed.GetValue(Server)
        ?? (Environment.GetEnvironmentVariable(ServerVariable) is { Length: > 0 } variable
            ? UrlOf(variable, static message => throw new CommandFailure(ExitCode.Usage, $"{ServerVariable} {message}"))
            : book.Current);

    public static Uri? UrlOf(string text, Action<string> problem)
    {
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.UserInfo.Length == 0)
        {
            return new(url.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/");
        }

        problem($"must be an http or https URL, such as http://localhost:8090; is: {text}");
        return null;
    }
}
