using System.Net;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>SQL written by hand, past the service: what the service forbids, the database forbids.</summary>
public sealed class HeldByTheDatabaseTests(SharedPostgres postgres) : IAsyncLifetime
{
    private string _connection = "";
    private CatalogServer _catalog = null!;

    public async ValueTask InitializeAsync()
    {
        _connection = await postgres.CreateDatabaseAsync();
        _catalog = new(_connection);
        await _catalog.ReadyAsync();
    }

    public ValueTask DisposeAsync() => _catalog.DisposeAsync();

    [Fact]
    public async Task What_the_service_does_not_do_nobody_does()
    {
        using var admin = _catalog.Operator();
        var parts = new Parts(admin);
        var subscription = await parts.BodyAsync("subscriptions");
        await admin.CreateAsync("subscriptions", subscription);
        var credential = await admin.CreateAsync("credentials", new { applicationId = subscription["applicationId"]!.GetValue<string>() });
        using var ec = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        await admin.CreateAsync("credentials", new { applicationId = subscription["applicationId"]!.GetValue<string>(), type = "client-key", publicKey = ec.ExportSubjectPublicKeyInfoPem() });
        using var revoked = await admin.ActAsync($"credentials/{credential.Id()}:revoke", "*");
        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        var token = await admin.CreateAsync("tokens", new { name = "gone", roles = new[] { "auditor" } });
        using var ended = await admin.ActAsync($"tokens/{token.Id()}:revoke", "*");
        Assert.Equal(HttpStatusCode.OK, ended.StatusCode);
        using var changed = await admin.PatchAsync($"plans/{subscription["planId"]}", "*", new { rateLimits = new[] { new { requests = 7, windowSeconds = 60 } } });
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        await parts.NewAsync("organizations");

        await using var connection = new NpgsqlConnection(_connection);
        string[] statements =
        [
            "update credentials set revoked_at = null where revoked_at is not null",
            "update access_tokens set revoked_at = null where revoked_at is not null",
            "update access_tokens set roles = '{owner}'",
            "update credentials set key = 'x' where type = 'client-key'",
            "update applications set organization_id = (select id from organizations o where o.id <> organization_id limit 1)",
            "update organizations set name = 'acme/shop'",
            "insert into organizations (id, name, created_at) values (gen_random_uuid(), 'acme/shop', now())",
            "delete from plan_revisions where revision = 1",
            "update config_head set revision = revision - 1",
            "update config_head set revision = null",
            "insert into config_revisions (revision, created_at, content_sha256) select revision + 2, now(), sha256('x') from config_head",
            "insert into config_revisions (revision, created_at, content_sha256) select revision + 1, now(), sha256('x') from config_head; update config_head set revision = revision + 2",
            "update config_revisions set content_sha256 = sha256('x')",
            "update config_revisions set changed = null",
            "update outbox set data = '{}'",
            "insert into usage_partitions select 'again', now(), now() + interval '1 hour' from usage_partitions where starts <= now() and ends > now()",
            """
            with next as (insert into api_revisions (version_id, revision, backend_id, created_at, published_at) select version_id, 9, backend_id, now(), null from api_revisions where revision = 1 returning version_id)
            insert into api_operations (version_id, revision, ordinal, operation_id, method, path_template) select version_id, 9, n, 'op' || n, 'GET', '/things/{' || chr(97 + n) || '}' from next, generate_series(0, 1) n
            """,
        ];
        var let = new List<string>();
        foreach (var statement in statements)
        {
            await using var transaction = await OpenAsync(connection);
            try
            {
                // What holds only at the commit holds now.
                await connection.ExecuteAsync(statement + "; set constraints all immediate", transaction: transaction);
                let.Add(statement);
            }
            catch (PostgresException refused)
            {
                Assert.True(refused.SqlState.StartsWith("23", StringComparison.Ordinal), $"{statement}: {refused.SqlState} {refused.MessageText}");
            }
        }

        Assert.Equal([], let);
    }

    /// <summary>No trigger for rows would fire: neither the audit's nor those that tell gateways.</summary>
    [Fact]
    public async Task No_table_that_is_audited_is_emptied_at_once()
    {
        await using var connection = new NpgsqlConnection(_connection);
        var tables = (await connection.QueryAsync<string>(
            """
            select distinct c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc f on f.oid = t.tgfoid
            where f.proname in ('audit_change', 'audit_parts')
            """)).AsList();
        Assert.True(tables.Count > 12);
        foreach (var table in tables)
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync($"truncate {table} cascade"));
            Assert.Equal(PostgresErrorCodes.IntegrityConstraintViolation, refused.SqlState);
        }
    }

    /// <summary>With a slash in a name of an organization two applications would have one name, and the export none of both.</summary>
    [Fact]
    public async Task Names_of_applications_behind_their_organization_mean_one_thing()
    {
        using var admin = _catalog.Operator();
        using var refused = await System.Net.Http.Json.HttpClientJsonExtensions.PostAsJsonAsync(admin, "/admin/v1/organizations", new { name = "acme/shop" });
        Assert.Equal(["/name"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        var organization = await admin.CreateAsync("organizations", new { name = "acme" });
        await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "shop/eu" });
        var export = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/export"))!;
        using var again = await System.Net.Http.Json.HttpClientJsonExtensions.PostAsJsonAsync(admin, "/admin/v1/changesets", new { puts = export });
        Assert.Equal(HttpStatusCode.Created, again.StatusCode);
    }

    private static async Task<NpgsqlTransaction> OpenAsync(NpgsqlConnection connection)
    {
        if (connection.State != System.Data.ConnectionState.Open)
        {
            await connection.OpenAsync();
        }

        return await connection.BeginTransactionAsync();
    }
}
