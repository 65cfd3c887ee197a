using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace OpenPlatform.Cli.Connection;

/// <summary>One place of a refused request, and what is wrong there.</summary>
internal sealed record RefusedField(string Pointer, string Detail);

/// <summary>A problem (RFC 9457) as a failure of the command.</summary>
internal static class RefusedCall
{
    private const string Fields = "fields";

    /// <summary>The fields of the problem, with their reasons; kept in <see cref="Exception.Data"/>.</summary>
    public static IReadOnlyList<RefusedField> FieldsOf(CommandFailure failure) => failure.Data[Fields] as RefusedField[] ?? [];

    /// <summary>For a command that knows where the fields come from, and has said it.</summary>
    public static void AreSaid(CommandFailure failure) => failure.Data.Remove(Fields);

    public static CommandFailure Of(HttpResponseMessage response, string text)
    {
        var problem = Parse(text);
        RefusedField[] fields = [.. (problem?["errors"] as JsonArray ?? []).OfType<JsonObject>().Select(static e => new RefusedField(Text(e, "pointer") ?? "", Text(e, "detail") ?? ""))];
        var message = new StringBuilder(Text(problem, "title") ?? $"{(int)response.StatusCode} {response.ReasonPhrase}");
        if (Text(problem, "detail") is { } detail)
        {
            message.Append(": ").Append(detail);
        }

        // Without a token it was a login, and the problem says what is wrong with that.
        if (response.StatusCode == HttpStatusCode.Unauthorized && response.RequestMessage?.Headers.Authorization is not null)
        {
            message.Append(" The token does not count (any more): log in again.");
        }

        if (response.StatusCode >= HttpStatusCode.InternalServerError && Text(problem, "traceId") is { } trace)
        {
            message.Append($" (trace {trace})");
        }

        return new(CodeOf(response.StatusCode), message.ToString()) { Data = { [Fields] = fields } };
    }

    private static ExitCode CodeOf(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ExitCode.Denied,
        HttpStatusCode.NotFound or HttpStatusCode.Gone => ExitCode.NotFound,
        HttpStatusCode.Conflict or HttpStatusCode.PreconditionFailed or HttpStatusCode.PreconditionRequired => ExitCode.Conflict,
        HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError => ExitCode.Unavailable,
        _ => ExitCode.Refused,
    };

    private static JsonObject? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null; // whatever stands between us and the catalog does not speak in problems
        }
    }

    private static string? Text(JsonObject? owner, string member) => owner?[member] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
