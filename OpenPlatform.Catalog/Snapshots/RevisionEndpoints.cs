using System.Globalization;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>One revision of what gateways run.</summary>
/// <param name="Changed">Names of the shards that differ from the revision before, for example <c>api/…</c>; null in revisions from before there were shards.</param>
public sealed record ConfigRevision(long Revision, DateTimeOffset CreatedAt, IReadOnlyList<string>? Changed, bool Active);

internal static class RevisionEndpoints
{
    private const string Columns = "select r.revision, r.created_at, r.changed, r.revision = h.revision as active from config_revisions r cross join config_head h";

    public static void MapConfigRevisions(this IEndpointRouteBuilder admin)
    {
        var revisions = admin.MapGroup("/config-revisions").WithTags("Config revisions");
        revisions.MapGet("/", List).Needs(Permission.ReadConfiguration).Lists<ConfigRevision>("ListConfigRevisions", "Revisions of what gateways run, the newest first, and which shards changed with each.");
        revisions.MapGet("/current", Current).Needs(Permission.ReadConfiguration).Reads<ConfigRevision>("GetCurrentConfigRevision", "The revision that is active.");
        revisions.MapGet("/{revision:long}", Get).Needs(Permission.ReadConfiguration).Reads<ConfigRevision>("GetConfigRevision", "One revision.");
    }

    private static async Task<IResult> List([AsParameters] PageQuery page, NpgsqlDataSource database, HttpContext context, CancellationToken cancellationToken)
    {
        if (page.CheckLimit() is { } problem)
        {
            return problem;
        }

        var before = long.MaxValue;
        if (page.Cursor is not null && !long.TryParse(page.Cursor, NumberStyles.None, CultureInfo.InvariantCulture, out before))
        {
            return PageQuery.UnknownCursor();
        }

        var limit = page.Limit ?? PageQuery.DefaultLimit;
        var revisions = await ReadAsync(database, "where r.revision < @before order by r.revision desc limit @fetch", new { before, fetch = limit + 1 }, cancellationToken);
        if (revisions.Count > limit)
        {
            PageAnswers.AddNextLink(context, revisions[limit - 1].Revision.ToString(CultureInfo.InvariantCulture));
        }

        return TypedResults.Ok(new Page<ConfigRevision>([.. revisions.Take(limit)]));
    }

    private static async Task<IResult> Current(NpgsqlDataSource database, CancellationToken cancellationToken) =>
        await ReadAsync(database, "where r.revision = h.revision", null, cancellationToken) is [var current] ? TypedResults.Ok(current) : CatalogProblem.OfStatus(StatusCodes.Status404NotFound);

    private static async Task<IResult> Get(long revision, NpgsqlDataSource database, CancellationToken cancellationToken) =>
        await ReadAsync(database, "where r.revision = @revision", new { revision }, cancellationToken) is [var found] ? TypedResults.Ok(found) : CatalogProblem.OfStatus(StatusCodes.Status404NotFound);

    private static async Task<IReadOnlyList<ConfigRevision>> ReadAsync(NpgsqlDataSource database, string where, object? parameters, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new CommandDefinition($"{Columns} {where}", parameters, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => new ConfigRevision(row.Revision, row.CreatedAt, row.Changed, row.Active))];
    }

    private sealed record Row(long Revision, DateTimeOffset CreatedAt, string[]? Changed, bool Active);
}
