using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Diagnostics;
using Npgsql;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Problems;

/// <summary>Turns exceptions into problems: unreadable requests into 4xx, an absent database into 503, the rest into a bare 500.</summary>
internal sealed partial class ProblemExceptionHandler(ILogger<ProblemExceptionHandler> logger) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
        {
            httpContext.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return true;
        }

        using var activity = Activity.Current is null ? RequestTraces.Begin(httpContext) : null; // the log and the answer name the same trace
        var problem = exception switch
        {
            BadHttpRequestException { InnerException: JsonException json } => OfJson(json),
            BadHttpRequestException bad when ParameterOrNull(httpContext.Request, bad) is { } parameter =>
                CatalogProblem.Malformed("A parameter of the query cannot be read.", new ProblemError("?" + parameter, "is not of the type that is expected here")),
            BadHttpRequestException bad => CatalogProblem.OfStatus(bad.StatusCode, bad.Message),
            PostgresException { SqlState: ['2', '2', ..] } => CatalogProblem.Invalid(new ProblemError("", "holds a text or number that cannot be kept, such as the character NUL or a number out of all range")),
            // Foreign key: what was not asked for in particular, the database still holds.
            PostgresException { SqlState: PostgresErrorCodes.ForeignKeyViolation } inUse => CatalogProblem.Conflict("", $"{inUse.TableName} still refers to it, or what it refers to is gone"),
            // The other constraints: an invariant that nobody looked at before. Nothing was changed, and the caller can do something about it.
            PostgresException { SqlState: ['2', '3', ..] } refused => CatalogProblem.Conflict("", $"{refused.ConstraintName ?? refused.TableName ?? "the database"} does not allow it"),
            _ when DatabaseFaults.IsAway(exception) => CatalogProblem.Unavailable("The catalog's database does not answer. Nothing is known to be changed; try again."),
            _ => CatalogProblem.OfStatus(StatusCodes.Status500InternalServerError),
        };
        if (problem.Status == StatusCodes.Status503ServiceUnavailable)
        {
            LogDatabaseAway(exception.Message);
        }
        else if (problem.Status >= StatusCodes.Status500InternalServerError)
        {
            LogUnexpected(exception, httpContext.Request.Method, httpContext.GetEndpoint()?.DisplayName, RequestTraces.IdOf(httpContext));
        }

        await problem.ExecuteAsync(httpContext);
        return true;
    }

    /// <summary>Which parameter of the query could not be bound, as it was written there; null when that is not what went wrong. The message of ASP.NET Core speaks of .NET types.</summary>
    private static string? ParameterOrNull(HttpRequest request, BadHttpRequestException exception) =>
        Unbound().Match(exception.Message) is { Success: true } unbound
            ? request.Query.Keys.FirstOrDefault(name => name.Equals(unbound.Groups["name"].Value, StringComparison.OrdinalIgnoreCase))
            : null;

    private static CatalogProblem OfJson(JsonException exception)
    {
        var pointer = PointerOf(exception.Path);
        if (UnknownMember().Match(exception.Message) is { Success: true } unknown)
        {
            var name = unknown.Groups["name"].Value;
            var escaped = "/" + Escape(name);
            return CatalogProblem.Malformed("The body has a member that does not exist.",
                new ProblemError(pointer.EndsWith(escaped, StringComparison.Ordinal) ? pointer : pointer + escaped, $"there is no member \"{name}\" here"));
        }

        if (DuplicateMember().Match(exception.Message) is { Success: true } duplicate)
        {
            return CatalogProblem.Malformed("The body names a member twice.", new ProblemError(pointer, $"member \"{duplicate.Groups["name"].Value}\" stands here twice"));
        }

        // The rest of System.Text.Json's message speaks of .NET types.
        var where = exception.LineNumber is { } line ? $" (line {line + 1}, byte {exception.BytePositionInLine + 1})" : "";
        return CatalogProblem.Malformed("The body is not the JSON that is expected here.", new ProblemError(pointer, "is not valid JSON or has the wrong type" + where));
    }

    /// <summary>System.Text.Json's path (<c>$.operations[0].method</c>, <c>$['a.b']</c>) as a JSON pointer (<c>/operations/0/method</c>).</summary>
    internal static string PointerOf(string? path)
    {
        var pointer = new StringBuilder();
        foreach (Match part in PathPart().Matches(path ?? ""))
        {
            pointer.Append('/').Append(Escape(part.Groups["name"].Value));
        }

        return pointer.ToString();
    }

    internal static string Escape(string segment) => segment.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    [GeneratedRegex("""\.(?<name>[^.\[]+)|\[(?<name>[0-9]+)\]|\['(?<name>[^']*)'\]""", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PathPart();

    [GeneratedRegex("^The JSON property '(?<name>.*)' could not be mapped to any \\.NET member", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.Singleline)]
    private static partial Regex UnknownMember();

    [GeneratedRegex("^Duplicate property '(?<name>.*)' encountered", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.Singleline)]
    private static partial Regex DuplicateMember();

    [GeneratedRegex("^Failed to bind parameter \"[^\"]* (?<name>\\w+)\" from ", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Unbound();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Postgres does not answer: {Reason}")]
    private partial void LogDatabaseAway(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Endpoint} failed (trace {Trace})")]
    private partial void LogUnexpected(Exception exception, string method, string? endpoint, string trace);
}
