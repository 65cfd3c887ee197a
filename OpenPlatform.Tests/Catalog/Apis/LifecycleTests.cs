using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using FsCheck.Fluent;
using Npgsql;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Catalog.Apis;

/// <summary>From draft to retired, with the stops between, as the admin API does it and the database enforces it.</summary>
public sealed class LifecycleTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task A_draft_is_nowhere_until_it_is_published()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        body["draft"] = true;
        var api = await admin.CreateAsync("apis", body);
        var version = api["versions"]![0]!;
        Assert.Equal(("draft", 1), (version["state"]!.GetValue<string>(), version["draft"]!.GetValue<int>()));
        Assert.Null(version["revision"]);
        Assert.DoesNotContain((await fixture.Catalog.SnapshotAsync()).Apis, model => model.VersionId.ToString() == version.Id());

        using var replaced = await SendAsync(admin, HttpMethod.Put, $"{Path(api)}/revisions/1", RevisionOf(body, "GET /only"));
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        using var published = await admin.ActAsync($"{Path(api)}:publish", "\"2\"", new { });

        var answer = await published.JsonAsync();
        Assert.Equal(HttpStatusCode.OK, published.StatusCode);
        Assert.Equal(("published", 1), (answer["state"]!.GetValue<string>(), answer["revision"]!.GetValue<int>()));
        Assert.Null(answer["draft"]);
        Assert.Equal(["/only"], (await ModelAsync(version.Id())).Operations.Select(operation => operation.PathTemplate));
    }

    [Fact]
    public async Task What_breaks_callers_is_not_published_and_a_new_version_may_do_it()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var api = await admin.CreateAsync("apis", body);
        var without = RevisionOf(body, "GET /things");

        using var refused = await admin.ActAsync($"{Path(api)}/revisions", "*", without);
        var problem = await refused.JsonAsync();
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.EndsWith("breaking-change", problem["type"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal("operation-removed: GET /things/{id} is gone", Assert.Single(problem["errors"]!.AsArray())!["detail"]!.GetValue<string>());
        Assert.Equal(1, (await ModelAsync(api["versions"]![0]!.Id())).Revision);

        without["version"] = "v2";
        without["basePath"] = body["basePath"]!.GetValue<string>().Replace("v1", "v2", StringComparison.Ordinal);
        using var second = await admin.ActAsync($"apis/{api.Id()}/versions", "*", without);
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
    }

    [Fact]
    public async Task A_draft_may_break_callers_and_is_refused_when_it_is_published()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var api = await admin.CreateAsync("apis", body);
        var draft = RevisionOf(body, "GET /other");
        draft["draft"] = true;
        using var written = await admin.ActAsync($"{Path(api)}/revisions", "*", draft);
        Assert.Equal(2, (await written.JsonAsync())["versions"]![0]!["draft"]!.GetValue<int>());
        using var another = await admin.ActAsync($"{Path(api)}/revisions", "*", draft);
        await another.ProblemAsync(HttpStatusCode.Conflict);

        using var refused = await admin.ActAsync($"{Path(api)}:publish", "*", new { revision = 2 });
        Assert.EndsWith("breaking-change", (await refused.JsonAsync())["type"]!.GetValue<string>(), StringComparison.Ordinal);

        using var gone = await SendAsync(admin, HttpMethod.Delete, $"{Path(api)}/revisions/2", null);
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        using var nothing = await admin.ActAsync($"{Path(api)}:publish", "*", new { });
        await nothing.ProblemAsync(HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task A_rollback_brings_an_earlier_revision_back_and_says_what_breaks()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var api = await admin.CreateAsync("apis", body);
        using var second = await admin.ActAsync($"{Path(api)}/revisions", "*", RevisionOf(body, "GET /things", "GET /things/{id}", "POST /things"));
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
        Assert.Equal(3, (await ModelAsync(api["versions"]![0]!.Id())).Operations.Count);

        using var back = await admin.ActAsync($"{Path(api)}:rollback", "*", new { revision = 1 });

        var answer = await back.JsonAsync();
        Assert.Equal(1, answer["revision"]!.GetValue<int>());
        var change = Assert.Single(answer["changes"]!.AsArray())!;
        Assert.Equal(("operation-removed", true), (change["rule"]!.GetValue<string>(), change["breaking"]!.GetValue<bool>()));
        Assert.Equal(2, (await ModelAsync(api["versions"]![0]!.Id())).Operations.Count);
        using var unknown = await admin.ActAsync($"{Path(api)}:rollback", "*", new { revision = 7 });
        Assert.Equal(["/revision"], await unknown.ProblemAsync(HttpStatusCode.Conflict));

        // The next revision has a number of its own, not that of the one that was rolled back.
        using var third = await admin.ActAsync($"{Path(api)}/revisions", "*", RevisionOf(body, "GET /things", "GET /things/{id}", "PUT /things"));
        Assert.Equal(3, (await third.JsonAsync())["versions"]![0]!["revision"]!.GetValue<int>());
    }

    [Fact]
    public async Task Deprecated_retired_and_blocked_versions_are_told_to_gateways()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var api = await admin.CreateAsync("apis", body);
        var id = api["versions"]![0]!.Id();
        var next = RevisionOf(body, "GET /new");
        (next["version"], next["basePath"]) = ("v2", $"/{body["name"]}/v2");
        using var second = await admin.ActAsync($"apis/{api.Id()}/versions", "*", next);
        var successor = (await second.JsonAsync())["versions"]![1]!.Id();

        using var early = await admin.ActAsync($"{Path(api)}:retire", "*");
        await early.ProblemAsync(HttpStatusCode.Conflict);
        using var itself = await admin.ActAsync($"{Path(api)}:deprecate", "*", new { successorId = id });
        Assert.Equal(["/successorId"], await itself.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        using var wrong = await admin.ActAsync($"{Path(api)}:deprecate", "*", new { sunsetAt = "2001-01-01T00:00:00Z", documentation = "http://a" });
        Assert.Equal(["/sunsetAt", "/documentation"], await wrong.ProblemAsync(HttpStatusCode.UnprocessableEntity));

        using var deprecated = await admin.ActAsync($"{Path(api)}:deprecate", "*", new { sunsetAt = "2999-01-01T00:00:00Z", successorId = successor, documentation = "https://docs.example/end" });
        Assert.Equal("deprecated", (await deprecated.JsonAsync())["state"]!.GetValue<string>());
        var lifecycle = (await ModelAsync(id)).Lifecycle!;
        Assert.Equal((LifecycleStates.Deprecated, $"/{body["name"]}/v2", "https://docs.example/end"), (lifecycle.State, lifecycle.Successor, lifecycle.Documentation));
        Assert.Equal(2999, lifecycle.SunsetAt!.Value.Year);

        using var blocked = await admin.ActAsync($"{Path(api)}:block", "*", new { reason = "Wrong totals", until = "2999-01-01T00:00:00Z" });
        Assert.Equal("Wrong totals", (await blocked.JsonAsync())["blocked"]!["reason"]!.GetValue<string>());
        Assert.Equal(new BlockModel("Wrong totals", new DateTimeOffset(2999, 1, 1, 0, 0, 0, TimeSpan.Zero)), (await ModelAsync(id)).Blocked);
        using var unblocked = await admin.ActAsync($"{Path(api)}:unblock", "*");
        Assert.Null((await unblocked.JsonAsync())["blocked"]);
        Assert.Null((await ModelAsync(id)).Blocked);

        using var retired = await admin.ActAsync($"{Path(api)}:retire", "*");
        Assert.Equal("retired", (await retired.JsonAsync())["state"]!.GetValue<string>());
        Assert.Equal(LifecycleStates.Retired, (await ModelAsync(id)).Lifecycle!.State);
        using var again = await admin.ActAsync($"{Path(api)}/revisions", "*", RevisionOf(body, "GET /things", "GET /things/{id}"));
        await again.ProblemAsync(HttpStatusCode.Conflict);
        using var subscribed = await admin.PostAsJsonAsync("/admin/v1/subscriptions", new { applicationId = await new Parts(admin).NewAsync("applications"), versionId = id, planId = await new Parts(admin).NewAsync("plans") });
        Assert.Equal(["/versionId"], await subscribed.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task Revisions_are_listed_with_cursors_and_shown_with_what_changed()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var api = await admin.CreateAsync("apis", body);
        string[] operations = ["GET /things", "GET /things/{id}"];
        foreach (var more in new[] { "PUT /a", "PUT /b" })
        {
            operations = [.. operations, more];
            using var published = await admin.ActAsync($"{Path(api)}/revisions", "*", RevisionOf(body, operations));
            Assert.Equal(HttpStatusCode.OK, published.StatusCode);
        }

        using var first = await admin.GetAsync($"/admin/v1/{Path(api)}/revisions?limit=2");
        var next = Assert.Single(first.Headers.GetValues("Link"));
        var rest = await admin.GetFromJsonAsync<JsonObject>(next[1..next.IndexOf('>', StringComparison.Ordinal)]);
        Assert.Equal([1, 2], (await first.JsonAsync())["items"]!.AsArray().Select(item => item!["revision"]!.GetValue<int>()));
        Assert.True(Assert.Single(rest!["items"]!.AsArray())!["inForce"]!.GetValue<bool>());

        var shown = await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/{Path(api)}/revisions/3");
        Assert.Equal((2, 4), (shown!["comparedWith"]!.GetValue<int>(), shown["operations"]!.AsArray().Count));
        Assert.Equal("operation-added", Assert.Single(shown["changes"]!.AsArray())!["rule"]!.GetValue<string>());
        using var unknown = await admin.GetAsync($"/admin/v1/{Path(api)}/revisions/9");
        await unknown.ProblemAsync(HttpStatusCode.NotFound);
        var versions = await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/apis/{api.Id()}/versions");
        Assert.Equal(api["versions"]![0]!.Id(), Assert.Single(versions!["items"]!.AsArray())!.Id());
    }

    [Fact]
    public async Task Who_still_calls_a_version_is_listed()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var api = await admin.CreateAsync("apis", body);
        var application = await new Parts(admin).NewAsync("applications");
        await using (var connection = new NpgsqlConnection(fixture.ConnectionString))
        {
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await connection.ExecuteAsync(
                """
                select set_config('openplatform.job_token', (select token::text from job_leader), true);
                insert into usage_hours (hour, application_id, version_id, operation_id, status, subscription_id, units)
                select date_trunc('hour', now()) - ago, @application, @version, 'list', 200, gen_random_uuid(), units
                from (values (interval '1 day', 3), (interval '2 days', 4), (interval '40 days', 100)) as t (ago, units);
                """, new { application = Guid.Parse(application), version = Guid.Parse(api["versions"]![0]!.Id()) }, transaction);
            await transaction.CommitAsync(TestContext.Current.CancellationToken);
        }

        var callers = await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/{Path(api)}/callers");

        var caller = Assert.Single(callers!["items"]!.AsArray())!;
        Assert.Equal((application, 7L), (caller["applicationId"]!.GetValue<string>(), caller["units"]!.GetValue<long>()));
        Assert.StartsWith("App ", caller["application"]!.GetValue<string>(), StringComparison.Ordinal);
        using var unknown = await admin.GetAsync($"/admin/v1/apis/{api.Id()}/versions/{Guid.NewGuid()}/callers");
        await unknown.ProblemAsync(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Only_what_serves_nobody_is_deleted()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var api = await admin.CreateAsync("apis", body);
        using var serving = await SendAsync(admin, HttpMethod.Delete, $"apis/{api.Id()}", null);
        await serving.ProblemAsync(HttpStatusCode.Conflict);
        using var deprecated = await admin.ActAsync($"{Path(api)}:deprecate", "*", new { });
        using var retired = await admin.ActAsync($"{Path(api)}:retire", "*");

        using var gone = await SendAsync(admin, HttpMethod.Delete, $"apis/{api.Id()}", null);

        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        using var after = await admin.GetAsync($"/admin/v1/apis/{api.Id()}");
        await after.ProblemAsync(HttpStatusCode.NotFound);
        Assert.DoesNotContain((await fixture.Catalog.SnapshotAsync()).Apis, model => model.ApiId.ToString() == api.Id());
    }

    /// <summary>
    /// Random sequences of verbs against a model of ten lines: what is answered, what the database holds and what gateways get never leave it. Then
    /// the same moves straight in SQL: the database alone refuses what the model forbids.
    /// </summary>
    [Fact]
    public async Task No_sequence_of_verbs_leaves_the_state_machine()
    {
        using var admin = fixture.Catalog.Operator();
        string[] verbs = ["publish", "deprecate", "retire", "block", "unblock"];
        foreach (var sequence in Gen.Elements(verbs).ArrayOf(8).Sample(10, 12))
        {
            var body = await new Parts(admin).BodyAsync("apis");
            body["draft"] = true;
            var api = await admin.CreateAsync("apis", body);
            var (state, isBlocked) = ("draft", false);
            foreach (var verb in sequence)
            {
                using var answer = await admin.ActAsync($"{Path(api)}:{verb}", "*", verb switch { "block" => new { reason = "x" }, "publish" or "deprecate" => new { }, _ => null });
                var (next, blocks) = Model(state, isBlocked, verb);
                Assert.Equal(next is null ? HttpStatusCode.Conflict : HttpStatusCode.OK, answer.StatusCode);
                (state, isBlocked) = (next ?? state, next is null ? isBlocked : blocks);

                var version = (await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/{Path(api)}"))!;
                Assert.Equal((state, isBlocked), (version["state"]!.GetValue<string>(), version["blocked"] is not null));
                var model = (await fixture.Catalog.SnapshotAsync()).Apis.SingleOrDefault(model => model.VersionId.ToString() == version.Id());
                Assert.Equal((state == "draft" ? null : state, isBlocked), (model is null ? null : model.Lifecycle?.State ?? "published", model?.Blocked is not null));
            }
        }

        static (string? State, bool IsBlocked) Model(string state, bool isBlocked, string verb) => (state, verb) switch
        {
            ("draft", "publish") => ("published", isBlocked),
            ("published" or "deprecated", "deprecate") => ("deprecated", isBlocked),
            ("deprecated", "retire") => ("retired", isBlocked),
            ("published" or "deprecated", "block") => (state, true),
            (_, "unblock") => (state, false),
            _ => (null, isBlocked),
        };
    }

    [Fact]
    public async Task The_database_refuses_every_other_move_by_itself()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var api = await admin.CreateAsync("apis", body);
        var id = Guid.Parse(api["versions"]![0]!.Id());
        string[] states = ["draft", "published", "deprecated", "retired"];
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);

        foreach (var from in states[1..])
        {
            if (from != "published")
            {
                using var moved = await admin.ActAsync($"{Path(api)}:{(from == "deprecated" ? "deprecate" : "retire")}", "*", from == "deprecated" ? new { } : null);
                Assert.Equal(HttpStatusCode.OK, moved.StatusCode);
            }

            foreach (var to in states.Where(to => to != from))
            {
                await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
                var error = await Record.ExceptionAsync(() => connection.ExecuteAsync(
                    """
                    update api_versions set state = @to, current_revision = case @to when 'draft' then null else 1 end,
                        deprecated_at = case when @to in ('deprecated', 'retired') then coalesce(deprecated_at, now()) end, retired_at = case @to when 'retired' then now() end
                    where id = @id
                    """, new { id, to }, transaction));
                Assert.Equal((from, to) is ("published", "deprecated") or ("deprecated", "retired"), error is null);
            }
        }

        foreach (var sql in new[]
        {
            "insert into api_versions (id, api_id, version, base_path, state, current_revision, deprecated_at, created_at) select gen_random_uuid(), api_id, 'v9', '/v9', 'deprecated', 1, now(), now() from api_versions where id = @id",
            "update api_versions set current_revision = 2 where id = @id",
            "update api_versions set base_path = '/elsewhere' where id = @id",
            "update api_versions set successor_id = id where id = @id",
            "insert into api_operations (version_id, revision, ordinal, operation_id, method, path_template) values (@id, 1, 99, 'late', 'GET', '/late')",
            "update api_revisions set published_at = null where version_id = @id",
            "update api_revisions set policies = '{}' where version_id = @id",
            "delete from api_revisions where version_id = @id",
            "delete from backends where id = (select backend_id from api_revisions where version_id = @id)",
        })
        {
            await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(sql, new { id }));
        }
    }

    private static string Path(JsonObject api) => $"apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}";

    private static JsonObject RevisionOf(JsonObject body, params string[] operations) => new()
    {
        ["backendId"] = body["backendId"]!.GetValue<string>(),
        ["operations"] = new JsonArray([.. operations.Select((operation, i) => new JsonObject { ["operationId"] = $"o{i}", ["method"] = operation.Split(' ')[0], ["pathTemplate"] = operation.Split(' ')[1] })]),
    };

    private async Task<ApiModel> ModelAsync(string versionId) => Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.VersionId.ToString() == versionId);

    private static async Task<HttpResponseMessage> SendAsync(HttpClient admin, HttpMethod method, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, "/admin/v1/" + path) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.TryAddWithoutValidation("If-Match", "*");
        return await admin.SendAsync(request);
    }
}
