using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Plans;

internal sealed class PlanStore(NpgsqlDataSource database)
{
    // The limits come as two arrays in step; a plan without any has none.
    private const string Select =
        """
        select p.id, p.name, p.approval_required, p.created_at, p.etag,
               array(select requests from plan_rate_limits where plan_id = p.id order by ordinal) as requests,
               array(select window_seconds from plan_rate_limits where plan_id = p.id order by ordinal) as window_seconds
        from plans p
        """;

    public async Task<Plan?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<Row>(new($"{Select} where p.id = @id", new { id }, cancellationToken: cancellationToken));
        return row?.ToPlan();
    }

    public async Task<IReadOnlyList<Plan>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new($"{Select} where p.id > @After order by p.id limit @Fetch", page, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToPlan())];
    }

    /// <summary>The new plan, or a conflict about its name.</summary>
    public static async Task<Outcome<Plan>> InsertAsync(ConfigChange change, PlanRequest request)
    {
        var plan = new Plan(Guid.CreateVersion7(change.Now), request.Name!, request.ApprovalRequired, request.Models(), change.Now, 1);
        var inserted = await change.Connection.ExecuteAsync(change.Sql(
            "insert into plans (id, name, approval_required, created_at) values (@Id, @Name, @ApprovalRequired, @CreatedAt) on conflict (name) do nothing",
            new { plan.Id, plan.Name, plan.ApprovalRequired, plan.CreatedAt }));
        if (inserted == 0)
        {
            return CatalogProblem.Conflict("/name", $"there is a plan {plan.Name} already");
        }

        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into plan_rate_limits (plan_id, ordinal, requests, window_seconds)
            select @Id, ordinality - 1, requests, window_seconds from unnest(@Requests, @Windows) with ordinality as t (requests, window_seconds, ordinality)
            """,
            new
            {
                plan.Id,
                Requests = plan.RateLimits.Select(static limit => limit.Requests).ToArray(),
                Windows = plan.RateLimits.Select(static limit => limit.WindowSeconds).ToArray(),
            }));
        return plan;
    }

    private sealed record Row(Guid Id, string Name, bool ApprovalRequired, DateTimeOffset CreatedAt, long Etag, long[] Requests, int[] WindowSeconds)
    {
        public Plan ToPlan() =>
            new(Id, Name, ApprovalRequired, [.. Requests.Zip(WindowSeconds, static (requests, window) => new RateLimitModel(requests, window))], CreatedAt, Etag);
    }
}
