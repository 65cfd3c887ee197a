using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Catalog.Credentials;

/// <summary>Gateways say which credentials they saw.</summary>
internal static class CredentialUseEndpoints
{
    private const int MostInReport = 10_000;

    public static void MapCredentialUses(this IEndpointRouteBuilder gateways) => gateways.MapPost(InternalApi.CredentialUsesPath, Accept);

    private static async Task<IResult> Accept(CredentialUseReport report, NpgsqlDataSource database, TimeProvider time, CancellationToken cancellationToken)
    {
        var today = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime).DayNumber;
        if (report.Credentials.Count is 0 or > MostInReport || Math.Abs(report.Day.DayNumber - today) > 1)
        {
            return CatalogProblem.Invalid(new ProblemError("", $"must be 1 to {MostInReport} credentials, and a day that is about today"));
        }

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new(UpsertSql, new { ids = report.Credentials.ToArray(), day = report.Day }, cancellationToken: cancellationToken));
        return TypedResults.NoContent();
    }

    /// <summary>In the order of ids, so that two gateways never wait for one another; what was deleted meanwhile is passed over.</summary>
    internal const string UpsertSql =
        """
        insert into credential_uses (credential_id, last_used_on)
        select id, @day from credentials where id = any(@ids) order by id
        on conflict (credential_id) do update set last_used_on = excluded.last_used_on where credential_uses.last_used_on < excluded.last_used_on
        """;
}
