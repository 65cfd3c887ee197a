using System.Text.Json;

namespace Orders;

/// <summary>Requests that do not fit the operation: the answer names the field, as validation does.</summary>
internal static class BadRequests
{
    public static void AddBadRequestProblems(this IServiceCollection services)
    {
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            if (context.Exception is BadHttpRequestException bad)
            {
                // "Failed to bind parameter "int? limit" from "abc"." or, for a body, the JSON path of what could not be read.
                context.ProblemDetails.Detail = bad.Message;
                if (bad.InnerException is JsonException { Path: { } path })
                {
                    context.ProblemDetails.Extensions["errors"] = new Dictionary<string, string[]>(StringComparer.Ordinal)
                    {
                        [path.TrimStart('$', '.')] = ["Cannot be read as JSON of the expected type."],
                    };
                }
            }
        });
    }

    public static void UseBadRequestProblems(this IApplicationBuilder app) => app.UseExceptionHandler(new ExceptionHandlerOptions
    {
        SuppressDiagnosticsCallback = context => context.Exception is BadHttpRequestException, // the caller's mistake, not ours to log
        StatusCodeSelector = exception => exception is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError,
    });
}
