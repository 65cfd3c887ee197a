using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace OpenPlatform.Tests.Catalog;

/// <summary>What holds for every collection of the admin API.</summary>
public sealed class ResourceTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    public static TheoryData<string> Collections() => ["apis", "backends", "plans", "organizations", "applications", "credentials", "subscriptions"];

    [Theory]
    [MemberData(nameof(Collections))]
    public async Task What_was_created_is_read_and_listed_as_it_was_answered(string collection)
    {
        using var admin = fixture.Catalog.Operator();
        using var created = await admin.PostAsJsonAsync($"/admin/v1/{collection}", await new Parts(admin).BodyAsync(collection));
        var answer = await created.JsonAsync();
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        Assert.Equal($"/admin/v1/{collection}/{answer.Id()}", created.Headers.Location?.ToString());
        Assert.Equal("\"1\"", created.Headers.ETag?.Tag);
        Assert.Equal('7', answer.Id()[14]); // UUID version 7: creation order is key order

        using var read = await admin.GetAsync(created.Headers.Location);
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        Assert.Equal(created.Headers.ETag, read.Headers.ETag);
        answer.Remove("key"); // what is shown once
        answer.Remove("secret");
        var expected = await read.JsonAsync();
        Assert.True(JsonNode.DeepEquals(answer, expected), $"{answer}\n{expected}");

        var listed = await ListAllAsync(admin, collection);
        Assert.Single(listed, item => item!["id"]!.GetValue<string>() == answer.Id());
    }

    [Theory]
    [MemberData(nameof(Collections))]
    public async Task A_caller_that_has_it_gets_304(string collection)
    {
        using var admin = fixture.Catalog.Operator();
        var created = await admin.CreateAsync(collection, await new Parts(admin).BodyAsync(collection));

        foreach (var (known, status) in new[] { ("\"1\"", 304), ("W/\"1\"", 304), ("*", 304), ("\"9\", \"1\"", 304), ("\"2\"", 200) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/admin/v1/{collection}/{created.Id()}");
            request.Headers.TryAddWithoutValidation("If-None-Match", known);
            using var response = await admin.SendAsync(request);
            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal("\"1\"", response.Headers.ETag?.Tag);
        }
    }

    [Theory]
    [MemberData(nameof(Collections))]
    public async Task What_is_not_there_is_404(string collection)
    {
        using var admin = fixture.Catalog.Operator();
        using var unknown = await admin.GetAsync($"/admin/v1/{collection}/{Guid.NewGuid()}");
        await unknown.ProblemAsync(HttpStatusCode.NotFound);
        using var noId = await admin.GetAsync($"/admin/v1/{collection}/1");
        await noId.ProblemAsync(HttpStatusCode.NotFound);
    }

    [Theory]
    [MemberData(nameof(Collections))]
    public async Task An_unknown_member_is_refused_by_name(string collection)
    {
        using var admin = fixture.Catalog.Operator();
        using var response = await admin.PostAsJsonAsync($"/admin/v1/{collection}", new { nmae = "x" });
        Assert.Equal(["/nmae"], await response.ProblemAsync(HttpStatusCode.BadRequest));
    }

    [Theory]
    [InlineData("apis", "/name", "/version", "/basePath", "/backendId", "/operations")]
    [InlineData("backends", "/name", "")]
    [InlineData("plans", "/name")]
    [InlineData("organizations", "/name")]
    [InlineData("applications", "/organizationId", "/name")]
    [InlineData("credentials", "/applicationId")]
    [InlineData("subscriptions", "/applicationId", "/versionId", "/planId")]
    public async Task Every_missing_member_is_named_at_once(string collection, params string[] pointers)
    {
        using var admin = fixture.Catalog.Operator();
        using var response = await admin.PostAsJsonAsync($"/admin/v1/{collection}", new { });
        Assert.Equal(pointers, await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Theory]
    [InlineData("applications", "organizationId")]
    [InlineData("credentials", "applicationId")]
    [InlineData("subscriptions", "applicationId")]
    [InlineData("subscriptions", "versionId")]
    [InlineData("subscriptions", "planId")]
    [InlineData("apis", "backendId")]
    public async Task What_names_something_that_is_not_there_is_refused_at_that_member(string collection, string member)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync(collection);
        body[member] = Guid.NewGuid().ToString();
        using var response = await admin.PostAsJsonAsync($"/admin/v1/{collection}", body);
        Assert.Equal(["/" + member], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Theory]
    [InlineData("apis", "/name")]
    [InlineData("backends", "/name")]
    [InlineData("plans", "/name")]
    [InlineData("organizations", "/name")]
    [InlineData("applications", "/name")]
    [InlineData("subscriptions", "/versionId")]
    public async Task The_same_again_is_a_conflict_at_the_member_that_is_taken(string collection, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync(collection);
        await admin.CreateAsync(collection, body);
        using var again = await admin.PostAsJsonAsync($"/admin/v1/{collection}", body);
        Assert.Equal([pointer], await again.ProblemAsync(HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task A_list_is_walked_by_its_next_links_without_loss_or_repetition()
    {
        using var admin = fixture.Catalog.Operator();
        var created = new List<string>();
        for (var i = 0; i < 7; i++)
        {
            created.Add((await admin.CreateAsync("organizations", new { name = $"walk {Guid.NewGuid()}" })).Id());
        }

        var seen = await ListAllAsync(admin, "organizations", "limit=2");

        var ids = seen.Select(item => item!["id"]!.GetValue<string>()).ToList();
        Assert.Equal(ids.Distinct(), ids);
        Assert.Equal(created, ids.Where(created.Contains));
    }

    [Theory]
    [InlineData("limit=0", "?limit")]
    [InlineData("limit=201", "?limit")]
    [InlineData("cursor=nonsense", "?cursor")]
    [InlineData("cursor=AAAA", "?cursor")]
    public async Task A_page_that_cannot_be_is_refused(string query, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        using var response = await admin.GetAsync($"/admin/v1/plans?{query}");
        Assert.Equal([pointer], await response.ProblemAsync(HttpStatusCode.BadRequest));
    }

    [Fact]
    public async Task A_limit_that_is_no_number_is_refused()
    {
        using var admin = fixture.Catalog.Operator();
        using var response = await admin.GetAsync("/admin/v1/plans?limit=many");
        await response.ProblemAsync(HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("{", "")]
    [InlineData("", "")]
    [InlineData("null", "")]
    [InlineData("[]", "")]
    [InlineData("""{"name":7}""", "/name")]
    [InlineData("""{"name":"a","name":"b"}""", "/name")]
    [InlineData("""{"rateLimits":[{"requests":"5"}]}""", "/rateLimits/0/requests")]
    [InlineData("""{"rateLimits":[{"request":5}]}""", "/rateLimits/0/request")]
    [InlineData("{\"name\":\"\\ud83d\"}", "/name")]
    public async Task A_body_that_cannot_be_read_is_a_problem_with_the_place(string body, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await admin.PostAsync("/admin/v1/plans", content);
        var pointers = await response.ProblemAsync(HttpStatusCode.BadRequest);
        Assert.True(pointers.Length == 0 ? pointer.Length == 0 : pointers.SequenceEqual([pointer]), string.Join(' ', pointers));
    }

    [Fact]
    public async Task Only_json_is_read()
    {
        using var admin = fixture.Catalog.Operator();
        using var content = new StringContent("name: x", Encoding.UTF8, "application/yaml");
        using var response = await admin.PostAsync("/admin/v1/plans", content);
        await response.ProblemAsync(HttpStatusCode.UnsupportedMediaType);
    }

    [Fact]
    public async Task A_method_that_a_resource_does_not_have_is_405()
    {
        using var admin = fixture.Catalog.Operator();
        using var response = await admin.DeleteAsync("/admin/v1/plans");
        await response.ProblemAsync(HttpStatusCode.MethodNotAllowed);
    }

    [Theory]
    [InlineData("Orders")]
    [InlineData("-orders")]
    [InlineData("orders-")]
    [InlineData("or ders")]
    [InlineData("orders\n")]
    [InlineData("")]
    public async Task A_name_that_is_no_url_safe_name_is_refused(string name)
    {
        using var admin = fixture.Catalog.Operator();
        foreach (var collection in new[] { "backends", "plans" })
        {
            var body = await new Parts(admin).BodyAsync(collection);
            body["name"] = name;
            using var response = await admin.PostAsJsonAsync($"/admin/v1/{collection}", body);
            Assert.Equal(["/name"], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }
    }

    [Theory]
    [InlineData("""{"name":"x","addresses":["http://a","nonsense"]}""", "/addresses/1")]
    [InlineData("""{"name":"x","addresses":[null]}""", "/addresses/0")]
    [InlineData("""{"name":"x","addresses":["http://a/path"]}""", "/addresses/0")]
    [InlineData("""{"name":"x","addresses":["file:///etc"]}""", "/addresses/0")]
    [InlineData("""{"name":"x","service":"X Y"}""", "/service")]
    public async Task A_backend_that_no_gateway_could_call_is_refused(string body, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await admin.PostAsync("/admin/v1/backends", content);
        Assert.Equal([pointer], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Theory]
    [InlineData("""{"requests":0,"windowSeconds":60}""", "/rateLimits/0/requests")]
    [InlineData("""{"requests":5}""", "/rateLimits/0/windowSeconds")]
    [InlineData("null", "/rateLimits/0/requests", "/rateLimits/0/windowSeconds")]
    [InlineData("""{"requests":1,"windowSeconds":60},{"requests":2,"windowSeconds":60}""", "/rateLimits/1/windowSeconds")]
    public async Task A_plan_with_a_limit_that_cannot_be_is_refused(string limits, params string[] pointers)
    {
        using var admin = fixture.Catalog.Operator();
        using var content = new StringContent($$"""{"name":"broken","rateLimits":[{{limits}}]}""", Encoding.UTF8, "application/json");
        using var response = await admin.PostAsync("/admin/v1/plans", content);
        Assert.Equal(pointers, await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    private static async Task<List<JsonNode?>> ListAllAsync(HttpClient admin, string collection, string query = "limit=200")
    {
        var items = new List<JsonNode?>();
        for (string? next = $"/admin/v1/{collection}?{query}"; next is not null;)
        {
            using var page = await admin.GetAsync(next);
            Assert.Equal(HttpStatusCode.OK, page.StatusCode);
            items.AddRange((await page.JsonAsync())["items"]!.AsArray());
            next = page.Headers.TryGetValues("Link", out var links) ? links.Single()[1..].Split(">; rel=\"next\"") is [var target, ""] ? target : throw new FormatException(links.Single()) : null;
        }

        return items;
    }
}

/// <summary>Right bodies with fresh names, and whatever they refer to.</summary>
internal sealed class Parts(HttpClient admin)
{
    private static int s_count;

    public async Task<JsonObject> BodyAsync(string collection)
    {
        var name = $"n{Interlocked.Increment(ref s_count)}";
        return collection switch
        {
            "backends" => new() { ["name"] = name, ["service"] = name, ["addresses"] = new JsonArray("http://10.0.0.1:8080", "https://b.example") },
            "plans" => new() { ["name"] = name, ["rateLimits"] = new JsonArray(new JsonObject { ["requests"] = 5, ["windowSeconds"] = 60 }, new JsonObject { ["requests"] = 1000, ["windowSeconds"] = 3600 }) },
            "organizations" => new() { ["name"] = $"Partner {name} & Söhne" },
            "applications" => new() { ["name"] = $"App {name}", ["organizationId"] = await NewAsync("organizations") },
            "credentials" => new() { ["applicationId"] = await NewAsync("applications"), ["name"] = "ci", ["expiresAt"] = "2999-01-01T00:00:00Z" },
            "apis" => new()
            {
                ["name"] = name, ["version"] = "v1", ["basePath"] = $"/{name}/v1", ["backendId"] = await NewAsync("backends"),
                ["operations"] = new JsonArray(
                    new JsonObject { ["operationId"] = "list", ["method"] = "GET", ["pathTemplate"] = "/things" },
                    new JsonObject { ["operationId"] = "get", ["method"] = "GET", ["pathTemplate"] = "/things/{id}" }),
            },
            "subscriptions" => new()
            {
                ["applicationId"] = await NewAsync("applications"), ["planId"] = await NewAsync("plans"),
                ["versionId"] = (await admin.CreateAsync("apis", await BodyAsync("apis")))["versions"]![0]!.Id(),
            },
            "changesets" => new() { ["puts"] = new JsonObject { ["organizations"] = new JsonArray(new JsonObject { ["name"] = $"Declared {name}" }) } },
            "webhooks" => new() { ["url"] = $"https://partner.example/{name}", ["active"] = false },
            "tokens" => new() { ["name"] = name, ["roles"] = new JsonArray("auditor") },
            "accounts" => new() { ["name"] = name, ["password"] = "a password of the tests", ["roles"] = new JsonArray("auditor") },
            _ => throw new ArgumentOutOfRangeException(nameof(collection), collection, null),
        };
    }

    public async Task<string> NewAsync(string collection) => (await admin.CreateAsync(collection, await BodyAsync(collection))).Id();
}
