using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using OpenPlatform.Catalog.Jobs;
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

    /// <summary>1,000 windows.</summary>
    private const int MaxWindowsBytes = 512 * 1024;

    public static IServiceCollection AddUsage(this IServiceCollection services)
    {
        services.AddOptions<UsageOptions>().BindConfiguration(UsageOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        return services
            .AddSingleton<UsageStore>()
            .AddSingleton<UsageMetrics>()
            .AddSingleton<IJob, UsagePartitions>()
            .AddSingleton<IJob, UsageRollUp>()
            .AddSingleton<IJob, UsageReconciler>()
            .AddSingleton<IJob, UsageRetention>();
    }

    public static void MapUsage(this IEndpointRouteBuilder admin)
    {
        var group = admin.MapGroup("/usage").WithTags("Usage");
        group.MapGet("/", Sum).Needs(Permission.ReadUsage)
            .Describe("SumUsage", "Units and their exact total, told apart as asked. With Accept: text/csv all rows as CSV.")
            .Produces<UsageSums>(StatusCodes.Status200OK, "application/json", "text/csv");
        group.MapGet("/reconciliation", Reconciliation).Needs(Permission.ReadConfiguration)
            .Describe("GetUsageReconciliation", "Whether hours, items and batches agree: the last results.")
            .Produces<UsageReconciliations>();
    }

    public static void MapUsageIntake(this IEndpointRouteBuilder gateways)
    {
        gateways.MapPost(InternalApi.UsagePath, Accept).WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(MaxBatchBytes));
        gateways.MapPost(InternalApi.UsedUnitsPath, Used).WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(MaxWindowsBytes));
    }

    private static async Task<IResult> Sum(
        [AsParameters] UsageFilter filter, [AsParameters] PageQuery page, Caller caller, UsageStore usage, HttpContext context, CancellationToken cancellationToken)
    {
        var checkedQuery = UsageQuery.Of(filter, caller.OrganizationId);
        if ((checkedQuery.Problem ?? page.CheckLimit()) is { } problem)
        {
            return problem;
        }

        var query = checkedQuery.Value;
        if (context.Request.GetTypedHeaders().Accept.Any(static accept => accept.MediaType == "text/csv"))
        {
            return await usage.OpenCsvAsync(query, cancellationToken);
        }

        var after = page.Cursor is null ? null : query.FromCursorOrNull(page.Cursor);
        if (page.Cursor is not null && after is null)
        {
            return PageQuery.UnknownCursor();
        }

        var limit = page.Limit ?? PageQuery.DefaultLimit;
        var (total, rows) = await usage.SumAsync(query, after, limit + 1, cancellationToken);
        if (rows.Count > limit)
        {
            PageAnswers.AddNextLink(context, query.ToCursor(rows[limit - 1]));
        }

        return TypedResults.Ok(new UsageSums(total, [.. rows.Take(limit).Select(row => ToSum(query, row))]));
    }

    private static UsageSum ToSum(UsageQuery query, object[] row)
    {
        var sum = new UsageSum(null, null, null, null, null, null, null, null, null, (long)row[^1]);
        for (var i = 0; i < query.Columns.Count; i++)
        {
            var (column, value) = (query.Columns[i], row[i]);
            Guid? id = value is Guid guid && guid != Guid.Empty ? guid : null;
            sum = column.Header switch
            {
                "start" => sum with { Start = new((DateTime)value, TimeSpan.Zero) },
                "organizationId" => sum with { OrganizationId = id },
                "applicationId" => sum with { ApplicationId = id },
                "subscriptionId" => sum with { SubscriptionId = id },
                "apiId" => sum with { ApiId = id },
                "versionId" => sum with { VersionId = id },
                "operationId" => sum with { OperationId = (string)value },
                "status" => sum with { Status = (short)value },
                _ => sum with { StatusClass = (string)value },
            };
        }

        return sum;
    }

    private static async Task<UsageReconciliations> Reconciliation(UsageStore usage, CancellationToken cancellationToken) =>
        await usage.ReconciliationsAsync(cancellationToken);

    private static async Task<IResult> Used(HttpRequest request, UsageStore usage, CancellationToken cancellationToken)
    {
        var (body, malformed) = await ReadAsync(request, UsedUnitsJson.Default.UsedUnitsRequest, "The body does not ask for windows.", cancellationToken);
        if (body is null)
        {
            return malformed!;
        }

        var errors = new List<ProblemError>();
        if (body.Windows.Count is 0 or > UsedUnitsRequest.MaxWindows)
        {
            errors.Add(new("/windows", $"must be 1 to {UsedUnitsRequest.MaxWindows}"));
        }

        for (var i = 0; i < body.Windows.Count && errors.Count < 20; i++)
        {
            if (body.Windows[i] is not { } window)
            {
                errors.Add(new($"/windows/{i}", "must not be null"));
            }
            else if (window.From.UtcTicks % TimeSpan.TicksPerHour != 0)
            {
                errors.Add(new($"/windows/{i}/from", "must be the start of an hour"));
            }
        }

        return errors.Count > 0
            ? CatalogProblem.Invalid(errors)
            : TypedResults.Json(new UsedUnits(await usage.UsedAsync(body.Windows, cancellationToken)), UsedUnitsJson.Default.UsedUnits);
    }

    private static async Task<(T? Body, CatalogProblem? Problem)> ReadAsync<T>(HttpRequest request, JsonTypeInfo<T> type, string what, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await JsonSerializer.DeserializeAsync(request.Body, type, cancellationToken) is { } body ? (body, null) : (null, CatalogProblem.Malformed(what));
        }
        catch (JsonException exception)
        {
            throw new BadHttpRequestException(what, exception);
        }
    }

    private static async Task<IResult> Accept(HttpRequest request, UsageStore usage, UsageMetrics metrics, CancellationToken cancellationToken)
    {
        var (batch, malformed) = await ReadAsync(request, UsageJson.Default.UsageBatch, "The body is not a usage batch.", cancellationToken);
        if (batch is null)
        {
            return malformed!;
        }

        if (UsageCheck.Check(batch) is { } problem)
        {
            return problem;
        }

        var accepted = await usage.InsertOnceAsync(batch, cancellationToken);
        metrics.Received(accepted);
        return TypedResults.Json(new UsageReceipt(accepted), UsageJson.Default.UsageReceipt);
    }
}
