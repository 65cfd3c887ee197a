using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Catalog.Accounts;

namespace OpenPlatform.Tests.Catalog.Access;

public sealed class AccountTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private const string Password = "correct horse battery";

    [Fact]
    public async Task A_token_is_shown_once_counts_by_its_role_and_ends_when_it_is_revoked()
    {
        using var admin = fixture.Catalog.Operator();
        var (token, id) = await admin.TokenAsync("auditor");
        using var auditor = fixture.Catalog.With(token);

        var self = await SelfAsync(auditor);
        Assert.Equal($"token:{id}", self["actor"]!.GetValue<string>());
        Assert.Equal(["auditor"], self["roles"]!.AsArray().Select(static role => role!.GetValue<string>()));
        using var refused = await auditor.PostAsJsonAsync("/admin/v1/organizations", new { name = "not mine" });
        await refused.ProblemAsync(HttpStatusCode.Forbidden);
        Assert.DoesNotContain(token, await admin.GetStringAsync($"/admin/v1/tokens/{id}"), StringComparison.Ordinal);
        Assert.Equal($"{DateTime.UtcNow:yyyy-MM-dd}", JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/tokens/{id}"))!["lastUsedOn"]!.GetValue<string>());
        using var known = new HttpRequestMessage(HttpMethod.Get, $"/admin/v1/tokens/{id}") { Headers = { IfNoneMatch = { new("\"1\"") } } };
        using var used = await admin.SendAsync(known); // known from before it was used
        Assert.NotNull((await used.JsonAsync())["lastUsedOn"]);
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        Assert.DoesNotContain(token[10..], await connection.ExecuteScalarAsync<string>("select string_agg(t::text, ' ') from access_tokens t"), StringComparison.Ordinal);
        using var revoked = await admin.ActAsync($"tokens/{id}:revoke", "\"1\"");
        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        using var gone = await auditor.GetAsync("/admin/v1/me");
        await gone.ProblemAsync(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task An_expired_token_and_one_that_is_nearly_right_are_nobodys()
    {
        using var admin = fixture.Catalog.Operator();
        var issued = await admin.CreateAsync("tokens", new { name = "short", roles = new[] { "owner" }, expiresAt = DateTimeOffset.UtcNow.AddHours(1) });
        var token = issued["token"]!.GetValue<string>();
        foreach (var wrong in new[] { token[..^1], token + "x", token.ToUpperInvariant(), "opt_", "ops_" + token[4..], "opt_" + new string('x', 5_000), "eyJ.eyJ." })
        {
            using var client = fixture.Catalog.With(wrong);
            using var response = await client.GetAsync("/admin/v1/me");
            await response.ProblemAsync(HttpStatusCode.Unauthorized);
        }

        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.ExecuteAsync("update access_tokens set created_at = created_at - interval '1 day', expires_at = now() where id = @id", new { id = Guid.Parse(issued.Id()) });
        using var expired = fixture.Catalog.With(token);
        using var refused = await expired.GetAsync("/admin/v1/me");
        await refused.ProblemAsync(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("""{"name":"x","roles":[]}""", "/roles")]
    [InlineData("""{"name":"x"}""", "/roles")]
    [InlineData("""{"name":"","roles":["owner"]}""", "/name")]
    [InlineData("""{"name":"x","roles":["developer"]}""", "/organizationId")]
    [InlineData("""{"name":"x","roles":["developer","owner"],"organizationId":"00000000-0000-0000-0000-000000000001"}""", "/roles")]
    [InlineData("""{"name":"x","roles":["owner"],"organizationId":"00000000-0000-0000-0000-000000000001"}""", "/organizationId")]
    [InlineData("""{"name":"x","roles":["developer"],"organizationId":"00000000-0000-0000-0000-000000000001"}""", "/organizationId")]
    [InlineData("""{"name":"x","roles":["owner"],"expiresAt":"2001-01-01T00:00:00Z"}""", "/expiresAt")]
    public async Task A_token_that_cannot_be_is_refused_with_the_field(string body, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        using var refused = await admin.PostAsJsonAsync("/admin/v1/tokens", JsonNode.Parse(body));
        Assert.Equal([pointer], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task Strangers_who_try_names_take_half_of_the_processors_at_most()
    {
        using var stranger = fixture.Catalog.Anonymous();
        var statuses = await Task.WhenAll(Enumerable.Range(0, 120).Select(async i =>
        {
            using var response = await stranger.PostAsJsonAsync("/admin/v1/login", new { name = $"stranger-{i}", password = Password });
            Assert.True(response.StatusCode != HttpStatusCode.TooManyRequests || response.Headers.RetryAfter is not null);
            return response.StatusCode;
        }));

        Assert.Equal([HttpStatusCode.TooManyRequests, HttpStatusCode.Unauthorized], statuses.Distinct().OrderDescending());
        Assert.InRange(fixture.Catalog.Services.GetRequiredService<PasswordChecks>().Peak, 1, PasswordChecks.MostAtOnce);
    }

    /// <summary>Checking a password takes a tenth of a second: long enough for somebody to change it meanwhile.</summary>
    [Fact]
    public async Task A_password_that_was_changed_while_it_was_checked_begins_no_session()
    {
        using var admin = fixture.Catalog.Operator();
        var account = await admin.CreateAsync("accounts", new { name = "overtaken", password = Password, roles = new[] { "owner" } });
        var sessions = fixture.Catalog.Services.GetRequiredService<SessionStore>();
        var found = (await sessions.FindOrNullAsync("overtaken", TestContext.Current.CancellationToken))!.Value;
        Assert.True(PasswordHash.Matches(found.Password, Password));

        using var changed = await admin.ActAsync($"accounts/{account.Id()}:setPassword", "*", new { password = "another horse battery" });
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);

        Assert.Null(await sessions.BeginOrNullAsync("overtaken", found.Id, found.Password, Encoding.UTF8.GetBytes(CatalogServer.Pepper), TestContext.Current.CancellationToken));
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        Assert.Equal(0, await connection.ExecuteScalarAsync<int>("select count(*)::int from sessions where account_id = @id", new { id = Guid.Parse(account.Id()) }));
    }

    [Fact]
    public async Task The_first_owner_is_made_with_the_deployments_token_and_logs_in_by_password()
    {
        using var admin = fixture.Catalog.Operator();
        await admin.CreateAsync("accounts", new { name = "mara", password = Password, roles = new[] { "owner" } });

        using var session = fixture.Catalog.With(await LoginAsync("mara", Password));

        Assert.Equal("account:mara", (await SelfAsync(session))["actor"]!.GetValue<string>());
        var login = Assert.Single(JsonNode.Parse(await admin.GetStringAsync("/admin/v1/audit?kind=login"))!["items"]!.AsArray(), static login => login!["actor"]!.GetValue<string>() == "account:mara");
        Assert.Equal(("insert", "account_id,created_at,expires_at,hash"), (login!["action"]!.GetValue<string>(), string.Join(',', login["changed"]!.AsArray())));
        var second = await session.CreateAsync("accounts", new { name = "nils", password = Password, roles = new[] { "auditor" } });
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        Assert.Equal("account:mara", await connection.ExecuteScalarAsync<string>("select actor from audit where kind = 'account' and id = @id", new { id = second.Id() }));
        Assert.True(await connection.ExecuteScalarAsync<int>("select min(password_iterations) from accounts") >= 600_000);
        using var logout = await session.PostAsync("/admin/v1/logout", null);
        Assert.Equal(HttpStatusCode.NoContent, logout.StatusCode);
        using var gone = await session.GetAsync("/admin/v1/me");
        await gone.ProblemAsync(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_new_password_another_role_and_a_disabled_account_end_its_sessions()
    {
        using var admin = fixture.Catalog.Operator();
        var id = (await admin.CreateAsync("accounts", new { name = "otto", password = Password, roles = new[] { "publisher" } })).Id();
        using var first = fixture.Catalog.With(await LoginAsync("otto", Password));
        await SelfAsync(first);

        using var patched = await admin.CallAsync("PATCH", $"/admin/v1/accounts/{id}", """{"roles":["auditor"]}""");
        Assert.Equal(HttpStatusCode.OK, patched.StatusCode);
        using var ended = await first.GetAsync("/admin/v1/me");
        await ended.ProblemAsync(HttpStatusCode.Unauthorized);

        using var second = fixture.Catalog.With(await LoginAsync("otto", Password));
        using var changed = await admin.ActAsync($"accounts/{id}:setPassword", "*", new { password = "another " + Password });
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        using var ended2 = await second.GetAsync("/admin/v1/me");
        await ended2.ProblemAsync(HttpStatusCode.Unauthorized);

        using var disabled = await admin.CallAsync("PATCH", $"/admin/v1/accounts/{id}", """{"disabled":true}""");
        Assert.Equal(HttpStatusCode.OK, disabled.StatusCode);
        using var refused = await TryLoginAsync("otto", "another " + Password);
        await refused.ProblemAsync(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Guessing_gets_slower_also_many_at_once_and_tells_nothing_about_who_exists()
    {
        using var admin = fixture.Catalog.Operator();
        await admin.CreateAsync("accounts", new { name = "target", password = Password, roles = new[] { "owner" } });
        foreach (var name in new[] { "target", "nobody-at-all" })
        {
            var guesses = await Task.WhenAll(Enumerable.Range(0, 12).Select(async i =>
            {
                using var response = await TryLoginAsync(name, $"wrong guess {i}");
                return (response.StatusCode, Wait: response.Headers.RetryAfter?.Delta);
            }));
            // Five for nothing; the sixth is looked at when its second is over, which it may be on a slow machine.
            Assert.InRange(guesses.Count(static guess => guess.StatusCode == HttpStatusCode.Unauthorized), 5, 8);
            Assert.All(guesses.Where(static guess => guess.StatusCode != HttpStatusCode.Unauthorized), static guess =>
            {
                Assert.Equal(HttpStatusCode.TooManyRequests, guess.StatusCode);
                Assert.True(guess.Wait > TimeSpan.Zero);
            });
        }

        // The right password has to wait as well, and works when the pause is over.
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.ExecuteAsync("update login_attempts set failures = 30, last_at = now()");
        using var early = await TryLoginAsync("target", Password);
        await early.ProblemAsync(HttpStatusCode.TooManyRequests);
        Assert.InRange(early.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromMinutes(14), TimeSpan.FromMinutes(15));
        await connection.ExecuteAsync("update login_attempts set last_at = now() - interval '16 minutes'");
        Assert.NotEmpty(await LoginAsync("target", Password));
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("select count(*) from login_attempts where name = 'target'"));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"name":"mara"}""")]
    [InlineData("""{"name":"","password":"x"}""")]
    [InlineData("""{"name":"mara","password":""}""")]
    public async Task A_login_without_name_or_password_fails_as_any_other(string body)
    {
        using var client = fixture.Catalog.Anonymous();
        using var refused = await client.PostAsJsonAsync("/admin/v1/login", JsonNode.Parse(body));
        await refused.ProblemAsync(HttpStatusCode.Unauthorized);
    }

    private static async Task<JsonObject> SelfAsync(HttpClient client)
    {
        using var response = await client.GetAsync("/admin/v1/me");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.JsonAsync();
    }

    private async Task<string> LoginAsync(string name, string password)
    {
        using var response = await TryLoginAsync(name, password);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.JsonAsync())["token"]!.GetValue<string>();
    }

    private async Task<HttpResponseMessage> TryLoginAsync(string name, string password)
    {
        using var client = fixture.Catalog.Anonymous();
        return await client.PostAsJsonAsync("/admin/v1/login", new { name, password });
    }
}
