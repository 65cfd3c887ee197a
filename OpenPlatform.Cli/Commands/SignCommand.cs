using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using OpenPlatform.Cli.Signing;

namespace OpenPlatform.Cli.Commands;

internal static class SignCommand
{
    public static Command Create()
    {
        var url = new Argument<Uri>("url")
        {
            Description = "The address that is called, with its query, through the gateway.",
            CustomParser = static result => UrlOf(result.Tokens.Single().Value, result.AddError),
        };
        var scheme = new Option<string>("--scheme") { Description = "hmac: the platform's own form; http-signature: RFC 9421 with an HMAC secret, a P-256 or an RSA key.", DefaultValueFactory = static _ => "hmac" };
        scheme.AcceptOnlyFromAmong("hmac", "http-signature");
        var method = new Option<string>("--method", "-X") { Description = "The method.", DefaultValueFactory = static _ => "GET" };
        var keyId = new Option<string>("--key-id") { Description = "Id of the signing key, as the catalog gave it.", Required = true };
        var key = new Option<FileInfo?>("--key") { Description = "File with the secret, or with the private key in PEM. Without it the secret is typed, or comes on standard input." };
        var headers = new Option<string[]>("--header", "-H") { Description = "'Name: value' of a further header to sign and send; may be repeated." };
        var data = new Option<string?>("--data", "-d") { Description = "The body; @FILE reads it from a file." };
        var command = new Command("sign", "Signs a request and prints the curl line that sends it (docs/signing.md).") { url, scheme, method, keyId, key, headers, data };
        command.SetAction(parsed =>
        {
            var body = BodyOf(parsed.GetValue(data));
            var request = RequestToSign.Of(parsed.GetValue(method)!, parsed.GetValue(url)!, parsed.GetValue(headers) ?? [], body);
            var secret = parsed.GetValue(key) is { } file ? TextOf(file) : Output.Secret("Secret");
            var nonce = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
            var signed = parsed.GetValue(scheme) == "hmac"
                ? HmacSigner.Sign(request, parsed.GetValue(keyId)!, secret, now, nonce)
                : MessageSigner.Sign(request, parsed.GetValue(keyId)!, SigningKey.Of(secret), now, nonce);
            Print(request, parsed.GetValue(data), signed, parsed.GetValue(Output.Format));
            return (int)ExitCode.Done;
        });
        return command;
    }

    private static void Print(RequestToSign request, string? data, IReadOnlyList<(string Name, string Value)> headers, OutputFormat format)
    {
        if (format == OutputFormat.Table)
        {
            string[] words =
            [
                "curl", "-X", request.Method, .. headers.SelectMany(static h => (string[])["-H", $"{h.Name}: {h.Value}"]),
                .. data is null ? Array.Empty<string>() : ["--data-binary", data], request.Url.AbsoluteUri,
            ];
            Console.Out.WriteLine(string.Join(' ', words.Select(Shell)));
        }
        else
        {
            Output.Write(new JsonObject(headers.Select(static h => KeyValuePair.Create<string, JsonNode?>(h.Name, h.Value))), format);
        }
    }

    /// <summary>As a POSIX shell takes it literally.</summary>
    private static string Shell(string word) =>
        word.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ':' or '=' or '@') ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static byte[]? BodyOf(string? data) => data switch
    {
        null => null,
        ['@', .. var path] => Read(path, File.ReadAllBytes),
        _ => System.Text.Encoding.UTF8.GetBytes(data),
    };

    private static string TextOf(FileInfo file) => Read(file.FullName, File.ReadAllText).TrimEnd('\r', '\n');

    private static T Read<T>(string path, Func<string, T> read)
    {
        try
        {
            return read(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailure(ExitCode.Usage, e.Message, e);
        }
    }

    /// <summary>With its path and query, unlike the address of a server.</summary>
    private static Uri? UrlOf(string text, Action<string> problem)
    {
        // Kept as it was typed: what is signed must be what is sent, and the default parser would decode some escapes.
        if (Uri.TryCreate(text, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }, out var url) && url.Scheme is "http" or "https")
        {
            return url;
        }

        problem($"must be an http or https URL; is: {text}");
        return null;
    }
}
