using System.Net;
using System.Net.Http.Json;
using System.Text;
using Dapper;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Catalog.Idempotency;
using OpenPlatform.Tests.Catalog.Access;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

public sealed class IdempotencyTests(CatalogFixture fixture, SharedPostgres postgres) : IClassFixture<CatalogFixture>
{
    /// <summary>Everything that is created by a POST, and what its answer shows once.</summary>
    public static TheoryData<string, string?> Collections() => new()
    {
        { "apis", null }, { "backends", null }, { "plans", null }, { "organizations", null }, { "applications", null }, { "credentials", "key" }, { "subscriptions", null },
        { "changesets", null }, { "webhooks", "secret" }, { "tokens", "token" }, { "accounts", null },
    };

    [Fact]
    public void Every_collection_is_tried()
    {
        using var started = fixture.Catalog.Anonymous();
        Assert.Equal(
            fixture.Catalog.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().Where(static endpoint => endpoint.Metadata.GetMetadata<AnswersCreated>() is not null)
                .Select(static endpoint => endpoint.RoutePattern.RawText!.Trim('/')["admin/v1/".Length..]).Order(),
            Collections().Select(static row => row.Data.Item1).Order());
    }

    [Theory]
    [MemberData(nameof(Collections))]
    public async Task A_repeated_post_gets_the_answer_of_the_first_and_is_done_once(string collection, string? shownOnce)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync(collection);
        var key = Guid.NewGuid().ToString();

        using var first = await PostAsync(admin, collection, body, key);
        var before = await CountAsync(collection);
        using var second = await PostAsync(admin, collection, body, key);

        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        Assert.Equal(first.StatusCode, second.StatusCode);
        Assert.Equal(await first.Content.ReadAsStringAsync(), await second.Content.ReadAsStringAsync());
        Assert.Equal(first.Headers.ETag, second.Headers.ETag);
        Assert.Equal(first.Headers.Location, second.Headers.Location);
        Assert.Equal(first.Content.Headers.ContentType, second.Content.Headers.ContentType);
        Assert.False(first.Headers.Contains("Idempotency-Replayed"));
        Assert.True(second.Headers.Contains("Idempotency-Replayed"));
        Assert.Equal(before, await CountAsync(collection));
        Assert.True(shownOnce is null || (await second.JsonAsync())[shownOnce]!.GetValue<string>().Length > 20);
    }

    [Theory]
    [MemberData(nameof(Collections))]
    public async Task The_same_key_with_another_body_is_422_and_does_nothing(string collection, string? shownOnce)
    {
        using var admin = fixture.Catalog.Operator();
        var parts = new Parts(admin);
        var (body, another) = (await parts.BodyAsync(collection), await parts.BodyAsync(collection));
        var key = Guid.NewGuid().ToString();
        using var first = await PostAsync(admin, collection, body, key);
        var before = await CountAsync(collection);

        using var refused = await PostAsync(admin, collection, another, key);

        var problem = await refused.JsonAsync();
        await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity);
        Assert.Equal("urn:openplatform:problem:idempotency-key-reused", problem["type"]!.GetValue<string>());
        Assert.Equal(before, await CountAsync(collection));
        using var again = await PostAsync(admin, collection, body, key);
        Assert.Equal(await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
        Assert.True(shownOnce is null || (await first.JsonAsync()).ContainsKey(shownOnce));
    }

    /// <summary>The request of one, sent by another under the same key: it is answered as a new one, with nothing of the answer of the first.</summary>
    [Theory]
    [MemberData(nameof(Collections))]
    public async Task A_key_belongs_to_its_caller(string collection, string? shownOnce)
    {
        using var one = fixture.Catalog.Operator();
        using var other = fixture.Catalog.With((await one.TokenAsync("owner")).Token);
        var body = await new Parts(one).BodyAsync(collection);
        var key = Guid.NewGuid().ToString();
        using var first = await PostAsync(one, collection, body, key);
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        var created = await first.JsonAsync();

        using var stranger = await PostAsync(other, collection, body, key);

        // A new one, or a conflict with what the first has made.
        Assert.True(stranger.StatusCode is HttpStatusCode.Created or HttpStatusCode.Conflict, $"{(int)stranger.StatusCode}");
        Assert.False(stranger.Headers.Contains("Idempotency-Replayed"));
        var answer = await stranger.Content.ReadAsStringAsync();
        Assert.DoesNotContain(created.Id(), answer, StringComparison.Ordinal);
        Assert.True(shownOnce is null || !answer.Contains(created[shownOnce]!.GetValue<string>(), StringComparison.Ordinal));
        using var again = await PostAsync(one, collection, body, key);
        Assert.True(again.Headers.Contains("Idempotency-Replayed"));
        Assert.Equal(await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
    }

    /// <summary>Whoever reads the table could try passwords: a plain hash of the request would tell which is right.</summary>
    [Fact]
    public async Task What_is_kept_of_a_request_does_not_tell_which_password_was_in_it()
    {
        using var admin = fixture.Catalog.Operator();
        const string Body = """{"name":"guessed","password":"correct horse battery","roles":["auditor"]}""";
        var key = Guid.NewGuid().ToString();
        foreach (var _ in (int[])[1, 2])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/v1/accounts") { Content = new StringContent(Body, Encoding.UTF8, "application/json") };
            request.Headers.Add("Idempotency-Key", key);
            using var response = await admin.SendAsync(request);
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        }

        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        var kept = await connection.QuerySingleAsync<byte[]>("select request_sha256 from idempotency where key = @key", new { key });
        Assert.NotEqual(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes("POST /admin/v1/accounts\n" + Body)), kept);
    }

    [Fact]
    public async Task An_action_is_repeated_too()
    {
        using var admin = fixture.Catalog.Operator();
        var id = await new Parts(admin).NewAsync("applications");
        var key = Guid.NewGuid().ToString();
        using var first = await PostAsync(admin, $"applications/{id}:suspend", null, key, "\"1\"");
        using var second = await PostAsync(admin, $"applications/{id}:suspend", null, key, "\"1\"");
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
        Assert.Equal("\"2\"", second.Headers.ETag?.Tag);
        Assert.Equal(await first.Content.ReadAsStringAsync(), await second.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_key_of_another_request_is_refused()
    {
        using var admin = fixture.Catalog.Operator();
        var key = Guid.NewGuid().ToString();
        using var first = await PostAsync(admin, "organizations", new { name = $"First {key}" }, key);
        using var other = await PostAsync(admin, "organizations", new { name = $"Second {key}" }, key);
        using var elsewhere = await PostAsync(admin, "plans", new { name = $"First {key}" }, key);
        await other.ProblemAsync(HttpStatusCode.UnprocessableEntity);
        await elsewhere.ProblemAsync(HttpStatusCode.UnprocessableEntity);
    }

    [Fact]
    public async Task What_failed_was_not_done_and_may_be_mended_under_the_same_key()
    {
        using var admin = fixture.Catalog.Operator();
        var key = Guid.NewGuid().ToString();
        using var failed = await PostAsync(admin, "organizations", new { name = "" }, key);
        await failed.ProblemAsync(HttpStatusCode.UnprocessableEntity);
        using var mended = await PostAsync(admin, "organizations", new { name = $"Mended {key}" }, key);
        Assert.Equal(HttpStatusCode.Created, mended.StatusCode);
    }

    [Fact]
    public async Task While_the_first_is_running_the_second_is_told_so()
    {
        using var admin = fixture.Catalog.Operator();
        await using var database = NpgsqlDataSource.Create(fixture.ConnectionString);
        await using var connection = await database.OpenConnectionAsync();
        await using var blocking = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("select from config_head for update");
        var key = Guid.NewGuid().ToString();
        var body = new { name = $"Slow {key}" };
        var first = PostAsync(admin, "organizations", body, key);
        await Eventually.TrueAsync(async () => await RunsAsync(database, key) == 1);

        using var second = await PostAsync(admin, "organizations", body, key);

        await second.ProblemAsync(HttpStatusCode.Conflict);
        await blocking.RollbackAsync();
        using var done = await first;
        Assert.Equal(HttpStatusCode.Created, done.StatusCode);
        using var third = await PostAsync(admin, "organizations", body, key);
        Assert.Equal(await done.Content.ReadAsStringAsync(), await third.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_run_that_lost_its_key_to_another_commits_nothing()
    {
        using var admin = fixture.Catalog.Operator();
        await using var database = NpgsqlDataSource.Create(fixture.ConnectionString);
        await using var connection = await database.OpenConnectionAsync();
        await using var blocking = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("select from config_head for update");
        var key = Guid.NewGuid().ToString();
        var first = PostAsync(admin, "organizations", new { name = $"Late {key}" }, key);
        await Eventually.TrueAsync(async () => await RunsAsync(database, key) == 1);
        await using (var other = await database.OpenConnectionAsync())
        {
            await other.ExecuteAsync("update idempotency set run = gen_random_uuid() where key = @key", new { key });
        }

        await blocking.RollbackAsync();

        using var refused = await first;
        await refused.ProblemAsync(HttpStatusCode.ServiceUnavailable);
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("select count(*) from organizations where name = @name", new { name = $"Late {key}" }));
    }

    [Fact]
    public async Task A_key_that_is_shown_once_is_repeated_but_not_kept_in_clear()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("credentials");
        var key = Guid.NewGuid().ToString();
        using var first = await PostAsync(admin, "credentials", body, key);
        using var second = await PostAsync(admin, "credentials", body, key);
        var secret = (await second.JsonAsync())["key"]!.GetValue<string>();
        Assert.Equal((await first.JsonAsync())["key"]!.GetValue<string>(), secret);

        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        var answer = await connection.ExecuteScalarAsync<byte[]>("select answer from idempotency where key = @key", new { key });
        Assert.Equal(-1, answer.AsSpan().IndexOf(Encoding.UTF8.GetBytes(secret)));
        Assert.Equal(-1, answer.AsSpan().IndexOf(Encoding.UTF8.GetBytes("applicationId")));
    }

    [Fact]
    public async Task An_answer_that_was_moved_to_another_key_is_not_given()
    {
        using var admin = fixture.Catalog.Operator();
        var (mine, stolen) = (Guid.NewGuid().ToString(), Guid.NewGuid().ToString());
        using var first = await PostAsync(admin, "organizations", new { name = $"Mine {mine}" }, mine);
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.ExecuteAsync("update idempotency set key = @stolen where key = @mine", new { mine, stolen });
        using var second = await PostAsync(admin, "organizations", new { name = $"Mine {mine}" }, stolen);
        await second.ProblemAsync(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task After_a_day_a_key_is_new_again_and_not_before()
    {
        var clock = new ManualClock(DateTimeOffset.UtcNow);
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync()) { Time = clock };
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var body = new { name = "a machine", roles = new[] { "auditor" } };
        using var issued = await PostAsync(admin, "tokens", body, "the-key");
        var secret = (await issued.JsonAsync())["token"]!.GetValue<string>();

        clock.Advance(new TimeSpan(23, 59, 0));
        using var kept = await PostAsync(admin, "tokens", body, "the-key");
        Assert.True(kept.Headers.Contains("Idempotency-Replayed"));
        Assert.Equal(secret, (await kept.JsonAsync())["token"]!.GetValue<string>());

        clock.Advance(new TimeSpan(0, 1, 1));
        using var fresh = await PostAsync(admin, "tokens", body, "the-key");
        Assert.Equal(HttpStatusCode.Created, fresh.StatusCode);
        Assert.False(fresh.Headers.Contains("Idempotency-Replayed"));
        Assert.NotEqual(secret, (await fresh.JsonAsync())["token"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("")]
    [InlineData("with space")]
    public async Task A_key_that_is_none_is_refused(string key)
    {
        using var admin = fixture.Catalog.Operator();
        using var refused = await PostAsync(admin, "organizations", new { name = "x" }, key);
        await refused.ProblemAsync(HttpStatusCode.BadRequest);
        using var tooLong = await PostAsync(admin, "organizations", new { name = "x" }, new string('k', 256));
        await tooLong.ProblemAsync(HttpStatusCode.BadRequest);
    }

    private static async Task<HttpResponseMessage> PostAsync(HttpClient admin, string path, object? body, string key, string? ifMatch = null)
    {
        using var handler = new SocketsHttpHandler { RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1 };
        using var client = new HttpClient(handler) { BaseAddress = admin.BaseAddress };
        client.DefaultRequestHeaders.Authorization = admin.DefaultRequestHeaders.Authorization;
        using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/v1/" + path) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        return await client.SendAsync(request);
    }

    private static async Task<long> RunsAsync(NpgsqlDataSource database, string key)
    {
        await using var connection = await database.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>("select count(*) from idempotency where key = @key and running_until is not null", new { key });
    }

    private async Task<long> CountAsync(string collection)
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        return await connection.ExecuteScalarAsync<long>($"select count(*) from {(collection == "tokens" ? "access_tokens" : collection)}");
    }
}
