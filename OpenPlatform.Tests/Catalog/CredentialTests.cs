using System.Net;
using System.Net.Http.Json;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Credentials;

namespace OpenPlatform.Tests.Catalog;

public sealed class CredentialTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task A_key_is_shown_once_and_is_nowhere_in_the_database_or_the_logs()
    {
        using var admin = fixture.Catalog.Operator();
        var issued = await admin.CreateAsync("credentials", await new Parts(admin).BodyAsync("credentials"));
        var key = issued["key"]!.GetValue<string>();
        Assert.Matches("^opk_[0-9A-Za-z]{32,}$", key);
        Assert.Equal(key[..10], issued["prefix"]!.GetValue<string>());

        Assert.DoesNotContain(key, await admin.GetStringAsync($"/admin/v1/credentials/{issued.Id()}"), StringComparison.Ordinal);
        Assert.DoesNotContain(key, await admin.GetStringAsync("/admin/v1/credentials?limit=200"), StringComparison.Ordinal);

        var secret = key[10..]; // the part that is not shown
        Assert.DoesNotContain(secret, fixture.Catalog.Logs.All, StringComparison.Ordinal);
        Assert.DoesNotContain(CatalogServer.AdminToken, fixture.Catalog.Logs.All, StringComparison.Ordinal);
        Assert.DoesNotContain(CatalogServer.Pepper, fixture.Catalog.Logs.All, StringComparison.Ordinal);
        var rows = await EverythingAsync();
        Assert.Contains(issued.Id(), rows, StringComparison.Ordinal); // it really looked
        Assert.DoesNotContain(secret, rows, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToHexStringLower(System.Text.Encoding.UTF8.GetBytes(secret)), rows, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_key_leaves_the_snapshot_with_the_next_revision()
    {
        using var admin = fixture.Catalog.Operator();
        var issued = await admin.CreateAsync("credentials", await new Parts(admin).BodyAsync("credentials"));
        Assert.Contains((await fixture.Catalog.SnapshotAsync()).Credentials, model => model.CredentialId.ToString() == issued.Id());

        using (var unconditional = await admin.ActAsync($"credentials/{issued.Id()}:revoke", null))
        {
            await unconditional.ProblemAsync(HttpStatusCode.PreconditionRequired);
        }

        using (var stale = await admin.ActAsync($"credentials/{issued.Id()}:revoke", "\"7\""))
        {
            await stale.ProblemAsync(HttpStatusCode.PreconditionFailed);
        }

        using var revoked = await admin.ActAsync($"credentials/{issued.Id()}:revoke", "*");
        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        Assert.NotNull((await revoked.JsonAsync())["revokedAt"]);
        Assert.DoesNotContain((await fixture.Catalog.SnapshotAsync()).Credentials, model => model.CredentialId.ToString() == issued.Id());
    }

    [Fact]
    public async Task A_key_cannot_expire_in_the_past()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("credentials");
        body["expiresAt"] = "2001-01-01T00:00:00Z";
        using var response = await admin.PostAsJsonAsync("/admin/v1/credentials", body);
        Assert.Equal(["/expiresAt"], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task The_list_of_one_application_has_only_its_own()
    {
        using var admin = fixture.Catalog.Operator();
        var mine = await admin.CreateAsync("credentials", await new Parts(admin).BodyAsync("credentials"));
        await admin.CreateAsync("credentials", await new Parts(admin).BodyAsync("credentials"));
        var list = await admin.GetFromJsonAsync<System.Text.Json.Nodes.JsonObject>($"/admin/v1/credentials?application={mine["applicationId"]}");
        Assert.Equal(mine.Id(), Assert.Single(list!["items"]!.AsArray())!.Id());
    }

    [Fact]
    public void Keys_do_not_repeat_and_show_at_most_a_quarter()
    {
        var keys = Enumerable.Range(0, 10_000).Select(_ => GeneratedSecret.Create(GeneratedSecret.ApiKey)).ToHashSet();
        Assert.Equal(10_000, keys.Count);
        Assert.Equal("ab", GeneratedSecret.Shown("abcdefgh"));
        Assert.Equal("a", GeneratedSecret.Shown("ab"));
    }

    /// <summary>Every row of every table as text.</summary>
    private async Task<string> EverythingAsync()
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        var tables = (await connection.QueryAsync<string>("select tablename from pg_tables where schemaname = 'public'")).ToList();
        Assert.Contains("credentials", tables);
        var rows = new List<string>();
        foreach (var table in tables)
        {
            rows.AddRange(await connection.QueryAsync<string>($"select t::text from {table} t"));
        }

        return string.Join('\n', rows);
    }
}
