using System.Net;
using System.Net.Http.Json;
using System.Text;
using Dapper;
using Npgsql;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

public sealed class IdempotencyTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Theory]
    [MemberData(nameof(ResourceTests.Collections), MemberType = typeof(ResourceTests))]
    public async Task A_repeated_post_gets_the_answer_of_the_first_and_is_done_once(string collection)
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
    public async Task After_a_day_a_key_is_new_again()
    {
        using var admin = fixture.Catalog.Operator();
        var key = Guid.NewGuid().ToString();
        using var first = await PostAsync(admin, "organizations", new { name = $"Old {key}" }, key);
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.ExecuteAsync("update idempotency set created_at = created_at - interval '24 hours' where key = @key", new { key });
        using var second = await PostAsync(admin, "organizations", new { name = $"Old {key}" }, key);
        Assert.Equal(["/name"], await second.ProblemAsync(HttpStatusCode.Conflict));
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
        return await connection.ExecuteScalarAsync<long>($"select count(*) from {collection}");
    }
}
