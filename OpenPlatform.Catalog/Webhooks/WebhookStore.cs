using System.Security.Cryptography;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Webhooks;

internal sealed class WebhookStore(NpgsqlDataSource database)
{
    private const string Columns = "id, url, event_types, organization_id, active, previous_secret_until, created_at, etag";

    public async Task<Webhook?> FindOrNullAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QuerySingleOrDefaultAsync<Row>(new($"select {Columns} from webhooks where id = @id", new { id }, cancellationToken: cancellationToken)))?.ToWebhook();
    }

    public async Task<IReadOnlyList<Webhook>> ListAsync(PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new(
            $"select {Columns} from webhooks where id > @After order by id limit @Fetch", new { page.After, page.Fetch }, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToWebhook())];
    }

    public static async Task<Outcome<IssuedWebhook>> InsertAsync(ConfigChange change, WebhookRequest request, Envelopes envelopes)
    {
        if (!envelopes.CanSeal)
        {
            return NoEnvelope();
        }

        if (request.OrganizationId is { } organization
            && !await change.Connection.ExecuteScalarAsync<bool>(change.Sql("select exists (select from organizations where id = @organization)", new { organization })))
        {
            return CatalogProblem.Invalid(new ProblemError("/organizationId", $"names no organization: {organization}"));
        }

        var id = Guid.CreateVersion7(change.Now);
        var secret = RandomNumberGenerator.GetBytes(WebhookSignature.SecretBytes);
        var row = await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"""
            insert into webhooks (id, url, event_types, organization_id, active, secret, created_at)
            values (@id, @Url, @types, @OrganizationId, @Active, @sealedSecret, @Now) returning {Columns}
            """,
            new { id, Url = request.Address, types = Types(request), request.OrganizationId, request.Active, sealedSecret = envelopes.Seal(id, secret), change.Now }));
        return row.ToIssued(WebhookSignature.ToText(secret));
    }

    /// <param name="patched">The request that would make it as it shall be, from the one that would make it as it is.</param>
    public static async Task<Outcome<Webhook>> UpdateAsync(ConfigChange change, Guid id, IfMatch ifMatch, Func<WebhookRequest, WebhookRequest> patched, WebhookGuard guard)
    {
        var current = await LockAsync(change, id, ifMatch);
        if (current.Problem is { } problem)
        {
            return problem;
        }

        var old = current.Value.ToWebhook();
        var request = patched(new(old.Url, old.EventTypes, old.OrganizationId, old.Active));
        if (request.Check(guard) is { } wrong)
        {
            return wrong;
        }

        if (request.OrganizationId != old.OrganizationId)
        {
            return CatalogProblem.Invalid(new ProblemError("/organizationId", "cannot be changed; make another webhook"));
        }

        return (await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"update webhooks set url = @Url, event_types = @types, active = @Active, etag = etag + 1 where id = @id returning {Columns}",
            new { id, Url = request.Address, types = Types(request), request.Active }))).ToWebhook();
    }

    public static async Task<Outcome<IssuedWebhook>> RotateAsync(ConfigChange change, Guid id, IfMatch ifMatch, TimeSpan overlap, Envelopes envelopes)
    {
        if (!envelopes.CanSeal)
        {
            return NoEnvelope();
        }

        var current = await LockAsync(change, id, ifMatch);
        if (current.Problem is { } problem)
        {
            return problem;
        }

        var secret = RandomNumberGenerator.GetBytes(WebhookSignature.SecretBytes);
        var row = await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"""
            update webhooks set previous_secret = case when @overlaps then secret end, previous_secret_until = case when @overlaps then @until end,
                secret = @sealedSecret, etag = etag + 1
            where id = @id returning {Columns}
            """,
            new { id, overlaps = overlap > TimeSpan.Zero, until = change.Now + overlap, sealedSecret = envelopes.Seal(id, secret) }));
        return row.ToIssued(WebhookSignature.ToText(secret));
    }

    /// <summary>Ends the webhook and everything that waits for it.</summary>
    public static async Task<Outcome<bool>> DeleteAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var current = await LockAsync(change, id, ifMatch);
        if (current.Problem is { } problem)
        {
            return problem;
        }

        await change.Connection.ExecuteAsync(change.Sql("delete from webhooks where id = @id", new { id }));
        return true;
    }

    private static async Task<Outcome<Row>> LockAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"select {Columns} from webhooks where id = @id for update", new { id }));
        if (row is null)
        {
            return CatalogProblem.NotFound("webhook", id);
        }

        return ifMatch.Check(row.Etag) is { } problem ? problem : row;
    }

    private static string[] Types(WebhookRequest request) => request.EventTypes is { } types ? [.. types.Distinct(StringComparer.Ordinal)] : ["*"];

    private static CatalogProblem NoEnvelope() => CatalogProblem.Conflict("", "OpenPlatform:EnvelopeKey is not set, and without it no secret can be kept");

    private sealed record Row(
        Guid Id, string Url, string[] EventTypes, Guid? OrganizationId, bool Active, DateTimeOffset? PreviousSecretUntil, DateTimeOffset CreatedAt, long Etag)
    {
        public Webhook ToWebhook() => new(Id, Url, EventTypes, OrganizationId, Active, PreviousSecretUntil, CreatedAt, Etag);

        public IssuedWebhook ToIssued(string secret) => new(Id, Url, EventTypes, OrganizationId, Active, PreviousSecretUntil, CreatedAt, Etag, secret);
    }
}
