using Dapper;

namespace OpenPlatform.Catalog.Jobs;

/// <summary>Tells partners once that a credential will soon end, and once that it has.</summary>
internal sealed class CredentialExpiryJob : IJob
{
    private const int Page = 500;

    private static readonly TimeSpan Ahead = TimeSpan.FromDays(14);

    // An expiry that long ago is no news, for example after an import.
    private static readonly TimeSpan Behind = TimeSpan.FromDays(7);

    public string Name => "credential-expiry";

    public TimeSpan Interval => TimeSpan.FromMinutes(1);

    public async Task<JobResult> RunAsync(JobRun run)
    {
        if (!await run.Connection.ExecuteScalarAsync<bool>(run.Sql(
            """
            select exists (
                select from credentials c
                where c.expires_at > @after and c.expires_at <= @until and c.revoked_at is null
                  and not exists (select from credential_notices n
                                  where n.credential_id = c.id and n.expires_at = c.expires_at and n.kind = case when c.expires_at <= @Now then 'expired' else 'expiring' end))
            """, new { after = run.Now - Behind, until = run.Now + Ahead, run.Now })))
        {
            return new(0);
        }

        // In the row of those who change credentials: what is told of one comes in the order in which it happened, and nothing of one that was just revoked.
        await run.Connection.ExecuteAsync(run.Sql("select from config_head for update"));
        var expired = await TellAsync(run, "expired", run.Now - Behind, run.Now);
        var expiring = await TellAsync(run, "expiring", run.Now, run.Now + Ahead);
        return new(expired + expiring, HasMore: expired == Page || expiring == Page);
    }

    private static async Task<int> TellAsync(JobRun run, string kind, DateTimeOffset after, DateTimeOffset until)
    {
        var rows = (await run.Connection.QueryAsync<Row>(run.Sql(
            """
            with told as (
                insert into credential_notices (credential_id, kind, expires_at)
                select c.id, @kind, c.expires_at
                from credentials c
                where c.expires_at > @after and c.expires_at <= @until and c.revoked_at is null
                  and not exists (select from credential_notices n where n.credential_id = c.id and n.kind = @kind and n.expires_at = c.expires_at)
                order by c.expires_at
                limit @Page
                returning credential_id)
            select c.id, c.application_id, a.organization_id, c.name, c.expires_at
            from told t join credentials c on c.id = t.credential_id join applications a on a.id = c.application_id
            order by c.expires_at, c.id
            """, new { kind, after, until, Page }))).AsList();
        foreach (var row in rows)
        {
            run.Emit($"openplatform.credential.{kind}", $"credentials/{row.Id}",
                new { row.Id, row.ApplicationId, row.Name, row.ExpiresAt }, row.OrganizationId);
        }

        return rows.Count;
    }

    private sealed record Row(Guid Id, Guid ApplicationId, Guid OrganizationId, string Name, DateTimeOffset ExpiresAt);
}
