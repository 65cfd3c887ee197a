using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Orders;

/// <summary>Trouble on demand, to see what a gateway makes of it.</summary>
internal static class TroubleEndpoints
{
    private const int MaxMilliseconds = 30_000;

    public static void MapTrouble(this IEndpointRouteBuilder app)
    {
        app.MapGet("/slow", SlowAsync).WithName("slow").WithTags("Trouble").WithSummary("Answers after a while.")
            .ProducesValidationProblem();
        app.MapGet("/error", Error).WithName("error").WithTags("Trouble").WithSummary("Answers with an error.")
            .ProducesValidationProblem();
    }

    private static async Task<Results<Ok<SlowAnswer>, ValidationProblem>> SlowAsync(
        [Description("How long to wait, 0 to 30000; 1000 when absent.")] int? milliseconds, TimeProvider time, CancellationToken cancellationToken)
    {
        var wait = milliseconds ?? 1000;
        if (wait is < 0 or > MaxMilliseconds)
        {
            return Invalid("milliseconds", $"A number from 0 to {MaxMilliseconds}.");
        }

        await Task.Delay(TimeSpan.FromMilliseconds(wait), time, cancellationToken);
        return TypedResults.Ok(new SlowAnswer(wait));
    }

    private static Results<ProblemHttpResult, ValidationProblem> Error(
        [Description("Status code to answer with, 400 to 599; 500 when absent.")] int? status) =>
        (status ?? 500) is >= 400 and <= 599 and var code
            ? TypedResults.Problem("This error was asked for.", statusCode: code)
            : Invalid("status", "A number from 400 to 599.");

    private static ValidationProblem Invalid(string field, string message) =>
        TypedResults.ValidationProblem(new Dictionary<string, string[]>(StringComparer.Ordinal) { [field] = [message] });
}

/// <param name="WaitedMilliseconds">How long the answer was held back.</param>
public sealed record SlowAnswer(int WaitedMilliseconds);
