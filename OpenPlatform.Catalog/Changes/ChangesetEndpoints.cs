using System.Data;
using System.Text.Json.Nodes;
using Npgsql;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Changes;

internal static class ChangesetEndpoints
{
    /// <summary>10,000 puts of a few kilobytes.</summary>
    private const int MaxBytes = 32 * 1024 * 1024;

    /// <summary>Kinds are registered by the folders they belong to.</summary>
    public static IServiceCollection AddChangesets(this IServiceCollection services) => services
        .AddSingleton<Changesets>()
        .AddSingleton<ChangesetStore>();

    public static void MapChangesets(this IEndpointRouteBuilder admin)
    {
        var changesets = admin.MapGroup("/changesets").WithTags("Changesets");
        changesets.MapPost("/", Apply).Needs(Permission.ApplyChangesets).WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(MaxBytes))
            .Creates<Changeset>("ApplyChangeset", "Puts and deletes, all or nothing; or, as a dry run, what that would change (200).")
            .Produces<Changeset>();
        changesets.MapGet("/", List).Needs(Permission.ReadConfiguration).Lists<ChangesetSummary>("ListChangesets", "Applied changesets, oldest first.");
        changesets.MapById<ChangesetStore, Changeset>("changeset", static (changesets, id, _, cancellationToken) => changesets.FindOrNullAsync(id, cancellationToken))
            .Needs(Permission.ReadConfiguration).Reads<Changeset>("GetChangeset", "What one changeset changed.");
        admin.MapGet("/export", Export).Needs(Permission.ReadConfiguration).WithTags("Changesets")
            .Describe("Export", "The whole configuration as puts of a changeset, without secrets. Put back, it changes nothing.")
            .Produces<JsonObject>();
    }

    private static async Task<IResult> Apply(ChangesetRequest request, Caller caller, Changesets changesets, CancellationToken cancellationToken)
    {
        var outcome = await changesets.ApplyAsync(request, caller, cancellationToken);
        return request.DryRun ? ResourceAnswers.Changed(outcome) : ResourceAnswers.Created("/admin/v1/changesets", outcome);
    }

    private static Task<IResult> List([AsParameters] PageQuery page, ChangesetStore changesets, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => changesets.ListAsync(start, cancellationToken));

    private static async Task<IResult> Export(IEnumerable<IDeclaredKind> kinds, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        // One moment for all kinds.
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var export = new JsonObject();
        foreach (var kind in kinds.OrderBy(static kind => kind.Order))
        {
            var items = await kind.ReadAsync(connection, transaction, null, cancellationToken);
            export[kind.List] = new JsonArray([.. items.OrderBy(static item => item.Key, StringComparer.Ordinal).Select(static item => item.Value)]);
        }

        return TypedResults.Ok(export);
    }
}
