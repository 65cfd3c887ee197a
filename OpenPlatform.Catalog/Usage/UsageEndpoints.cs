using System.Text.Json;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Catalog.Usage;

internal static class UsageEndpoints
{
    /// <summary>10,000 items of the longest kind.</summary>
    private const int MaxBatchBytes = 8 * 1024 * 1024;

    public static void MapUsage(this IEndpointRouteBuilder admin) => admin.MapGet("/usage", Sum)
        .WithTags("Usage")
        .Needs(Permission.ReadUsage)
        .Describe("SumUsage", "Units by hour, application, version, operation and status, and their exact total.")
        .Produces<UsageSums>();

    public static void MapUsageIntake(this IEndpointRouteBuilder gateways) =>
        gateways.MapPost(InternalApi.UsagePath, Accept).WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(MaxBatchBytes));

    private static async Task<IResult> Sum(
        [AsParameters] UsageFilter filter, [AsParameters] PageQuery page, UsageStore usage, HttpContext context, CancellationToken cancellationToken)
    {
        if (page.CheckLimit() is { } problem)
        {
            return problem;
        }

        var after = page.Cursor is null ? null : UsageHour.FromCursorOrNull(page.Cursor);
        if (page.Cursor is not null && after is null)
        {
            return PageQuery.UnknownCursor();
        }

        var limit = page.Limit ?? PageQuery.DefaultLimit;
        var (total, hours) = await usage.SumAsync(filter, after, limit + 1, cancellationToken);
        if (hours.Count > limit)
        {
            PageAnswers.AddNextLink(context, hours[limit - 1].ToCursor());
        }

        return TypedResults.Ok(new UsageSums(total, [.. hours.Take(limit)]));
    }

    private static async Task<IResult> Accept(HttpRequest request, UsageStore usage, CancellationToken cancellationToken)
    {
        UsageBatch? batch;
        try
        {
            batch = await JsonSerializer.DeserializeAsync(request.Body, UsageJson.Default.UsageBatch, cancellationToken);
        }
        catch (JsonException exception)
        {
            throw new BadHttpRequestException("The body is not a usage batch.", exception);
        }

        if (batch is null)
        {
            return CatalogProblem.Malformed("The body is not a usage batch.");
        }

        return UsageCheck.Check(batch) is { } problem
            ? problem
            : TypedResults.Json(new UsageReceipt(await usage.InsertOnceAsync(batch, cancellationToken)), UsageJson.Default.UsageReceipt);
    }
}
