using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>
/// Moves versions from state to state. The database refuses every other move by itself; what is checked here is there so that the answer says why.
/// </summary>
internal sealed class LifecycleStore(NpgsqlDataSource database)
{
    private static readonly TimeSpan CallersWindow = TimeSpan.FromDays(30);

    /// <summary>Who called the version in the last 30 days, by application; null: there is no such version.</summary>
    /// <param name="organization">Only applications of this one; null: all.</param>
    public async Task<IReadOnlyList<VersionCaller>?> CallersAsync(Guid apiId, Guid versionId, Guid? organization, DateTimeOffset now, PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var callers = (await connection.QueryAsync<VersionCaller>(new(CallersSql,
            new { versionId, apiId, organization, Since = (now - CallersWindow).UtcDateTime, page.After, page.Fetch }, cancellationToken: cancellationToken))).AsList();
        return callers.Count == 0 && !await connection.ExecuteScalarAsync<bool>(new(
            "select exists (select from api_versions where id = @versionId and api_id = @apiId)", new { apiId, versionId }, cancellationToken: cancellationToken))
            ? null : callers;
    }

    internal const string CallersSql =
        """
        select u.application_id, a.name as application, o.id as organization_id, o.name as organization, u.last_hour, u.units
        from (
            select application_id, max(hour) as last_hour, sum(units)::bigint as units from usage_hours
            where version_id = @versionId and hour >= @Since and application_id > @After
            group by application_id) u
        left join applications a on a.id = u.application_id
        left join organizations o on o.id = a.organization_id
        where (@organization::uuid is null or a.organization_id = @organization) and exists (select from api_versions where id = @versionId and api_id = @apiId)
        order by u.application_id limit @Fetch
        """;

    /// <summary>Tells callers that the version will end, or replaces what they are told.</summary>
    public static async Task<CatalogProblem?> DeprecateAsync(ConfigChange change, Guid apiId, Guid versionId, DeprecateRequest request)
    {
        if (await MayBeAsync(change, apiId, versionId, "deprecated", "published", "deprecated") is { } problem)
        {
            return problem;
        }

        var said = await change.Connection.ExecuteScalarAsync<DateTime?>(change.Sql("select deprecated_at from api_versions where id = @versionId", new { versionId }));
        if (request.Check(said is { } before ? new(before, TimeSpan.Zero) : change.Now) is { } wrong)
        {
            return wrong;
        }

        if (request.SuccessorId is { } successor && (successor == versionId || !await change.Connection.ExecuteScalarAsync<bool>(change.Sql(
            """
            select exists (select from api_versions s where s.id = @successor and s.api_id = @apiId
                and (s.state in ('published', 'deprecated') or s.id = (select successor_id from api_versions where id = @versionId)))
            """, new { successor, apiId, versionId }))))
        {
            return CatalogProblem.Invalid(new ProblemError("/successorId", $"names no other published version of this API: {successor}"));
        }

        await change.Connection.ExecuteAsync(change.Sql(
            """
            update api_versions set state = 'deprecated', deprecated_at = coalesce(@DeprecatedAt, deprecated_at, @Now), sunset_at = @SunsetAt, successor_id = @SuccessorId, documentation = @Documentation
            where id = @versionId
            """, new { versionId, DeprecatedAt = request.DeprecatedAt?.ToUniversalTime(), SunsetAt = request.SunsetAt?.ToUniversalTime(), request.SuccessorId, request.Documentation, change.Now }));
        change.Emit("openplatform.version.deprecated", RevisionStore.Subject(versionId), new { apiId, versionId, request.SunsetAt, request.SuccessorId, request.Documentation });
        return null;
    }

    /// <summary>Ends the version: it answers 410 from now on.</summary>
    public static async Task<CatalogProblem?> RetireAsync(ConfigChange change, Guid apiId, Guid versionId)
    {
        if (await MayBeAsync(change, apiId, versionId, "retired", "deprecated") is { } problem)
        {
            return problem;
        }

        await change.Connection.ExecuteAsync(change.Sql("update api_versions set state = 'retired', retired_at = @Now where id = @versionId", new { versionId, change.Now }));
        change.Emit("openplatform.version.retired", RevisionStore.Subject(versionId), new { apiId, versionId });
        return null;
    }

    /// <summary>Stops every call of the version at once. A block that is there is replaced.</summary>
    public static async Task<CatalogProblem?> BlockAsync(ConfigChange change, Guid apiId, Guid versionId, BlockRequest request)
    {
        if (await MayBeAsync(change, apiId, versionId, "blocked", "published", "deprecated") is { } problem)
        {
            return problem;
        }

        await change.Connection.ExecuteAsync(change.Sql(
            "update api_versions set blocked_reason = @Reason, blocked_at = @Now, blocked_until = @Until where id = @versionId",
            new { versionId, request.Reason, Until = request.Until?.ToUniversalTime(), change.Now }));
        change.Emit("openplatform.version.blocked", RevisionStore.Subject(versionId), new { apiId, versionId, request.Reason, request.Until });
        return null;
    }

    public static async Task<CatalogProblem?> UnblockAsync(ConfigChange change, Guid apiId, Guid versionId)
    {
        if (await RevisionStore.LockAsync(change, apiId, versionId) is null)
        {
            return CatalogProblem.NotFound("API version", versionId);
        }

        var changed = await change.Connection.ExecuteAsync(change.Sql(
            "update api_versions set blocked_reason = null, blocked_at = null, blocked_until = null where id = @versionId and blocked_at is not null", new { versionId }));
        if (changed > 0)
        {
            change.Emit("openplatform.version.unblocked", RevisionStore.Subject(versionId), new { apiId, versionId });
        }

        return null;
    }

    /// <summary>Takes a draft or a retired version away, for good.</summary>
    public static async Task<CatalogProblem?> DeleteVersionAsync(ConfigChange change, Guid apiId, Guid versionId)
    {
        if (await MayBeAsync(change, apiId, versionId, "deleted", "draft", "retired") is { } problem)
        {
            return problem;
        }

        if (await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from subscriptions where version_id = @versionId)", new { versionId })))
        {
            return CatalogProblem.Conflict("", "applications are or were subscribed to it: what was billed stays in the books");
        }

        if (await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from api_versions where successor_id = @versionId)", new { versionId })))
        {
            return CatalogProblem.Conflict("", "another version names it as its successor");
        }

        if (await change.Connection.ExecuteScalarAsync<int>(change.Sql("select count(*)::int from api_versions where api_id = @apiId", new { apiId })) == 1)
        {
            return CatalogProblem.Conflict("", "it is the only version: delete the API");
        }

        await change.Connection.ExecuteAsync(change.Sql("delete from api_versions where id = @versionId", new { versionId }));
        return null;
    }

    /// <summary>Takes an API away of which nothing serves and nobody was ever subscribed to.</summary>
    public static async Task<CatalogProblem?> DeleteApiAsync(ConfigChange change, Guid apiId)
    {
        if (await change.Connection.ExecuteScalarAsync<string?>(change.Sql(
            "select version from api_versions where api_id = @apiId and state not in ('draft', 'retired') order by id limit 1", new { apiId })) is { } serving)
        {
            return CatalogProblem.Conflict("", $"version {serving} serves: deprecate and retire it first");
        }

        if (await change.Connection.ExecuteScalarAsync<bool>(change.Sql(
            "select exists (select from subscriptions s join api_versions v on v.id = s.version_id where v.api_id = @apiId)", new { apiId })))
        {
            return CatalogProblem.Conflict("", "applications are or were subscribed to it: what was billed stays in the books");
        }

        await change.Connection.ExecuteAsync(change.Sql("delete from api_versions where api_id = @apiId; delete from apis where id = @apiId;", new { apiId }));
        change.Emit("openplatform.api.deleted", $"apis/{apiId}", new { id = apiId });
        return null;
    }

    /// <summary>Null when the version is in one of the states; otherwise why it cannot become what was asked for.</summary>
    private static async Task<CatalogProblem?> MayBeAsync(ConfigChange change, Guid apiId, Guid versionId, string becomes, params string[] states) =>
        await RevisionStore.LockAsync(change, apiId, versionId) is not { } version ? CatalogProblem.NotFound("API version", versionId)
            : states.Contains(version.State) ? null
            : CatalogProblem.Conflict("", $"a version that is {version.State} cannot be {becomes}");
}
