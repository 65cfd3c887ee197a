using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Catalog;

public sealed class ApiPublishingTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private const string Document =
        """
        {
          "openapi": "3.0.3",
          "info": { "title": "Stock", "version": "1.0" },
          "paths": {
            "/items": {
              "get": { "operationId": "listItems", "responses": { "200": { "description": "ok" } } },
              "post": { "responses": { "201": { "description": "made" } } }
            },
            "/items/{id}": {
              "parameters": [ { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } } ],
              "get": { "operationId": "getItem", "responses": { "200": { "description": "ok" } } }
            }
          }
        }
        """;

    [Fact]
    public async Task Operations_are_taken_from_an_openapi_document()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin);
        body.Remove("operations");
        body["openApi"] = JsonNode.Parse(Document);

        var api = await admin.CreateAsync("apis", body);

        var published = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.ApiId.ToString() == api.Id());
        Assert.Equal(
            [new("listItems", "GET", "/items"), new("post-items", "POST", "/items"), new OperationModel("getItem", "GET", "/items/{id}")],
            published.Operations);
    }

    [Theory]
    [InlineData("/openapi", "\"2.0\"", "/openApi/openapi")]
    [InlineData("/paths", "{}", "/openApi/paths")]
    [InlineData("/paths/~1items~1{id}/get/operationId", "\"listItems\"", "/openApi/paths/~1items~1{id}/get/operationId")]
    [InlineData("/paths/~1items.json", """{"get":{"responses":{"200":{"description":"ok"}}}}""", null)]
    [InlineData("/paths/~1a{x}", """{"get":{"responses":{"200":{"description":"ok"}}}}""", "/openApi/paths/~1a{x}/get")]
    [InlineData("/paths/~1items/trace", """{"responses":{"200":{"description":"ok"}}}""", "/openApi/paths/~1items/trace")]
    public async Task A_problem_in_a_document_is_named_by_its_pointer_there(string set, string json, string? pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin);
        body.Remove("operations");
        body["openApi"] = JsonNode.Parse(Document);
        var parts = set[1..].Split('/').Select(part => part.Replace("~1", "/", StringComparison.Ordinal)).ToArray();
        var parent = parts[..^1].Aggregate(body["openApi"]!, (node, part) => node[part]!);
        parent[parts[^1]] = JsonNode.Parse(json);

        using var response = await admin.PostAsJsonAsync("/admin/v1/apis", body);

        if (pointer is null)
        {
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        }
        else
        {
            Assert.Contains(pointer, await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }
    }

    [Theory]
    [InlineData("\"text\"")]
    [InlineData("[]")]
    [InlineData("""{"openapi":"3.0.0","info":7,"paths":[]}""")]
    [InlineData("""{"openapi":"3.1.0","paths":{"/a":null,"/b":{"get":3}}}""")]
    [InlineData("""{"openapi":"3.1.0","info":{"title":"a","version":"1"},"paths":{"/a":{"$ref":"#/paths/~1a"}}}""")]
    [InlineData("""{"openapi":"3.1.0","info":{"title":"a","version":"1"},"paths":{"/a":{"$ref":"http://127.0.0.1:1/x"}}}""")]
    public async Task Nonsense_in_place_of_a_document_is_refused_and_breaks_nothing(string document)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin);
        body.Remove("operations");
        body["openApi"] = JsonNode.Parse(document);
        using var response = await admin.PostAsJsonAsync("/admin/v1/apis", body);
        Assert.All(await response.ProblemAsync(HttpStatusCode.UnprocessableEntity), pointer => Assert.StartsWith("/openApi", pointer, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("basePath", "\"orders\"", "/basePath")]
    [InlineData("basePath", "\"/a/../b\"", "/basePath")]
    [InlineData("version", "\"V1\"", "/version")]
    [InlineData("name", "\"A\"", "/name")]
    [InlineData("operations", "[]", "/operations")]
    [InlineData("operations", "[null]", "/operations/0/operationId", "/operations/0/method", "/operations/0/pathTemplate")]
    [InlineData("operations", """[{"operationId":"a","method":"GET","pathTemplate":"/a"},{"operationId":"a","method":"PUT","pathTemplate":"/b"}]""", "/operations/1/operationId")]
    [InlineData("operations", """[{"operationId":"a","method":"GET","pathTemplate":"/a/{x}"},{"operationId":"b","method":"GET","pathTemplate":"/a/{y}"}]""", "/operations/1/pathTemplate")]
    [InlineData("openApi", "{}", "/operations")]
    public async Task What_no_gateway_could_run_is_refused_at_the_member(string member, string json, params string[] pointers)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin);
        body[member] = JsonNode.Parse(json);
        using var response = await admin.PostAsJsonAsync("/admin/v1/apis", body);
        Assert.Equal(pointers, await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_base_path_is_taken_without_regard_to_case()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin);
        await admin.CreateAsync("apis", body);
        var other = await BodyAsync(admin);
        other["basePath"] = body["basePath"]!.GetValue<string>().ToUpperInvariant();
        using var response = await admin.PostAsJsonAsync("/admin/v1/apis", other);
        Assert.Equal(["/basePath"], await response.ProblemAsync(HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task The_next_revision_is_in_force_at_once_and_the_one_before_cannot_be_changed()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin);
        var api = await admin.CreateAsync("apis", body);
        var version = api["versions"]![0]!.Id();
        var revision = new { backendId = body["backendId"]!.GetValue<string>(), operations = body["operations"]!.DeepClone().AsArray() };
        revision.operations.Add(new JsonObject { ["operationId"] = "more", ["method"] = "POST", ["pathTemplate"] = "/more" });

        using var published = await admin.ActAsync($"apis/{api.Id()}/versions/{version}/revisions", "\"1\"", revision);

        Assert.Equal(HttpStatusCode.OK, published.StatusCode);
        Assert.Equal("\"2\"", published.Headers.ETag?.Tag);
        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.VersionId.ToString() == version);
        Assert.Equal(2, model.Revision);
        Assert.Equal(["list", "get", "more"], model.Operations.Select(operation => operation.OperationId));

        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        foreach (var sql in new[]
        {
            "update api_operations set method = 'PUT' where version_id = @id", "delete from api_operations where version_id = @id",
            "update api_revisions set created_at = now() where version_id = @id",
        })
        {
            var error = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(sql, new { id = Guid.Parse(version) }));
            Assert.Contains("immutable", error.MessageText, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_api_has_several_versions_at_once()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin);
        var api = await admin.CreateAsync("apis", body);
        var second = (JsonObject)body.DeepClone();
        second.Remove("name");
        second["version"] = "v2";
        second["basePath"] = body["basePath"]!.GetValue<string>() + "/two";

        using var published = await admin.ActAsync($"apis/{api.Id()}/versions", "\"1\"", second);

        Assert.Equal(["v1", "v2"], (await published.JsonAsync())["versions"]!.AsArray().Select(version => version!["version"]!.GetValue<string>()));
        Assert.Equal(2, (await fixture.Catalog.SnapshotAsync()).Apis.Count(model => model.ApiId.ToString() == api.Id()));
        using var again = await admin.ActAsync($"apis/{api.Id()}/versions", "\"2\"", second);
        Assert.Equal(["/version"], await again.ProblemAsync(HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task Only_one_of_two_publishers_who_saw_the_same_state_succeeds()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin);
        var api = await admin.CreateAsync("apis", body);
        var path = $"apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}/revisions";
        var revision = new { backendId = body["backendId"]!.GetValue<string>(), operations = body["operations"] };

        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => admin.ActAsync(path, "\"1\"", revision)));

        Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        Assert.Equal(7, answers.Count(answer => answer.StatusCode == HttpStatusCode.PreconditionFailed));
        using var without = await admin.ActAsync(path, null, revision);
        await without.ProblemAsync(HttpStatusCode.PreconditionRequired);
        var after = await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/apis/{api.Id()}");
        Assert.Equal(2, after!["versions"]![0]!["revision"]!.GetValue<int>());
    }

    private static Task<JsonObject> BodyAsync(HttpClient admin) => new Parts(admin).BodyAsync("apis");
}
