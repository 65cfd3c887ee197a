using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;

namespace OpenPlatform.Tests.Catalog.Apis;

/// <summary>Backends are changed while they are called, and are not deleted as long as they are.</summary>
public sealed class BackendChangeTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task A_merge_patch_reaches_gateways_and_leaves_what_it_does_not_name()
    {
        using var admin = fixture.Catalog.Operator();
        var backend = await admin.CreateAsync("backends", await new Parts(admin).BodyAsync("backends"));

        using var patched = await SendAsync(admin, HttpMethod.Patch, backend.Id(), "\"1\"", """{"health":{"active":{"path":"/health"}},"service":null}""");

        Assert.Equal((HttpStatusCode.OK, "\"2\""), (patched.StatusCode, patched.Headers.ETag?.Tag));
        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Backends, model => model.BackendId.ToString() == backend.Id());
        Assert.Equal(("/health", null, 2), (model.Health!.Active!.Path, model.Service, model.Addresses.Count));
        using var same = await SendAsync(admin, HttpMethod.Patch, backend.Id(), "\"2\"", """{"health":{"active":{"path":"/health"}}}""");
        Assert.Equal("\"2\"", same.Headers.ETag?.Tag);
        using var late = await SendAsync(admin, HttpMethod.Patch, backend.Id(), "\"1\"", "{}");
        await late.ProblemAsync(HttpStatusCode.PreconditionFailed);
        using var wrong = await SendAsync(admin, HttpMethod.Patch, backend.Id(), "*", """{"health":{"active":{"intervalMs":1}}}""");
        Assert.Equal(["/health/active/intervalMs"], await wrong.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Theory]
    [InlineData("backendId")]
    [InlineData("alternate")]
    [InlineData("split")]
    public async Task What_a_revision_in_force_calls_is_not_deleted(string how)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        var used = how == "backendId" ? body["backendId"]!.GetValue<string>() : await new Parts(admin).NewAsync("backends");
        body["policies"] = how switch
        {
            "alternate" => JsonNode.Parse($$$"""{"degradation":{"alternateBackendId":"{{{used}}}"}}"""),
            "split" => JsonNode.Parse($$$"""{"split":{"variants":[{"name":"canary","backendId":"{{{used}}}","weightPercent":5}]}}"""),
            _ => null,
        };
        var api = await admin.CreateAsync("apis", body);

        using var refused = await SendAsync(admin, HttpMethod.Delete, used, "*", null);
        Assert.Equal([""], await refused.ProblemAsync(HttpStatusCode.Conflict));

        // Another revision that does not call it, and it may go; the one before stays as it was, without it.
        body["backendId"] = await new Parts(admin).NewAsync("backends");
        var path = $"apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}";
        using var next = await admin.ActAsync($"{path}/revisions", "*", new { backendId = body["backendId"], operations = body["operations"] });
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        using var gone = await SendAsync(admin, HttpMethod.Delete, used, "*", null);
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        using var back = await admin.ActAsync($"{path}:rollback", "*", new { revision = 1 });
        await back.ProblemAsync(how == "backendId" ? HttpStatusCode.Conflict : HttpStatusCode.UnprocessableEntity);
    }

    [Theory]
    [InlineData("select id from apis where id > '00000000-0000-0000-0000-000000000000' order by id limit 51")]
    [InlineData("select id from backends where id > '00000000-0000-0000-0000-000000000000' order by id limit 51")]
    [InlineData("select v.id from api_versions v where v.api_id = '00000000-0000-0000-0000-000000000001' and v.id > '00000000-0000-0000-0000-000000000000' order by v.api_id, v.id limit 51")]
    [InlineData("select r.revision from api_revisions r where r.version_id = '00000000-0000-0000-0000-000000000001' and r.revision > 0 order by r.version_id, r.revision limit 51")]
    [InlineData("select application_id, max(hour), sum(units) from usage_hours where version_id = '00000000-0000-0000-0000-000000000001' and hour >= now() - interval '30 days' group by application_id")]
    public async Task Lists_are_read_by_index(string sql)
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        // A small table is read as a whole, and rightly: what is asked is whether there is another way.
        await connection.ExecuteAsync("set enable_seqscan = off; set enable_sort = off");
        var plan = string.Join('\n', await connection.QueryAsync<string>("explain " + sql));
        Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
        Assert.Contains("Index", plan, StringComparison.Ordinal);
        if (sql.Contains("order by", StringComparison.Ordinal))
        {
            Assert.DoesNotContain("Sort", plan, StringComparison.Ordinal);
        }
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient admin, HttpMethod method, string id, string ifMatch, string? patch)
    {
        using var request = new HttpRequestMessage(method, $"/admin/v1/backends/{id}")
        {
            Content = patch is null ? null : new StringContent(patch, Encoding.UTF8, "application/merge-patch+json"),
        };
        request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return await admin.SendAsync(request);
    }
}
