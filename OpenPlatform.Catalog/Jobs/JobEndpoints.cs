using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Jobs;

/// <summary>A job and its last run.</summary>
/// <param name="IntervalSeconds">From the end of a run to the start of the next.</param>
/// <param name="LastRun">Null: it has never run.</param>
public sealed record Job(string Name, double IntervalSeconds, JobReport? LastRun);

/// <param name="Holder">The catalog that ran it: host, process, start.</param>
/// <param name="Token">Fencing token of the holder; a later holder has a higher one.</param>
/// <param name="Changes">How many things it changed.</param>
/// <param name="Detail">What an operator should know; of a failed run the reason.</param>
public sealed record JobReport(
    string Holder, long Token, DateTimeOffset StartedAt, DateTimeOffset FinishedAt, bool Succeeded, long Changes, string? Detail);

/// <param name="Token">Fencing token that is valid now; 0: nobody has ever led.</param>
/// <param name="Holder">Null: nobody holds the lease now.</param>
public sealed record JobList(long Token, string? Holder, IReadOnlyList<Job> Items);

internal static class JobEndpoints
{
    public static void MapJobs(this IEndpointRouteBuilder admin)
    {
        var group = admin.MapGroup("/jobs").WithTags("Jobs");
        group.MapGet("/", List).Needs(Permission.ReadConfiguration).Describe("ListJobs", "Leader-only work: who does it, and what came of it.").Produces<JobList>();
        group.MapPost("/{name}:run", Run).Needs(Permission.Operate).Describe("RunJob", "Asks for a run of the job now.").Produces(StatusCodes.Status202Accepted);
    }

    private static async Task<IResult> List(IEnumerable<IJob> jobs, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var (token, holder) = await connection.QuerySingleAsync<(long, string?)>(new(
            "select token, case when expires_at >= now() then holder end from job_leader", cancellationToken: cancellationToken));
        var runs = (await connection.QueryAsync<Row>(new(
            "select name, holder, token, started_at, finished_at, succeeded, changes, detail from jobs", cancellationToken: cancellationToken)))
            .ToDictionary(static row => row.Name, static row => row.ToReport(), StringComparer.Ordinal);
        return TypedResults.Ok(new JobList(token, holder,
            [.. jobs.OrderBy(static job => job.Name, StringComparer.Ordinal).Select(job => new Job(job.Name, job.Interval.TotalSeconds, runs.GetValueOrDefault(job.Name)))]));
    }

    private static async Task<IResult> Run(string name, IEnumerable<IJob> jobs, NpgsqlDataSource database, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!jobs.Any(job => job.Name == name))
        {
            return CatalogProblem.OfStatus(StatusCodes.Status404NotFound, $"There is no job {name}.");
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new(
            "insert into job_requests (name, requested_at) values (@name, @now) on conflict do nothing", new { name, now = time.GetUtcNow() }, cancellationToken: cancellationToken));
        return TypedResults.Accepted("/admin/v1/jobs");
    }

    private sealed record Row(
        string Name, string Holder, long Token, DateTimeOffset StartedAt, DateTimeOffset FinishedAt, bool Succeeded, long Changes, string? Detail)
    {
        public JobReport ToReport() => new(Holder, Token, StartedAt, FinishedAt, Succeeded, Changes, Detail);
    }
}
