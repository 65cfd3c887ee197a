using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Tests.Catalog;

public sealed class MergePatchTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    // RFC 7396, appendix A.
    [Theory]
    [InlineData("""{"a":"b"}""", """{"a":"c"}""", """{"a":"c"}""")]
    [InlineData("""{"a":"b"}""", """{"b":"c"}""", """{"a":"b","b":"c"}""")]
    [InlineData("""{"a":"b"}""", """{"a":null}""", "{}")]
    [InlineData("""{"a":"b","b":"c"}""", """{"a":null}""", """{"b":"c"}""")]
    [InlineData("""{"a":["b"]}""", """{"a":"c"}""", """{"a":"c"}""")]
    [InlineData("""{"a":"c"}""", """{"a":["b"]}""", """{"a":["b"]}""")]
    [InlineData("""{"a":{"b":"c"}}""", """{"a":{"b":"d","c":null}}""", """{"a":{"b":"d"}}""")]
    [InlineData("""{"a":[{"b":"c"}]}""", """{"a":[1]}""", """{"a":[1]}""")]
    [InlineData("""["a","b"]""", """["c","d"]""", """["c","d"]""")]
    [InlineData("""{"a":"b"}""", """["c"]""", """["c"]""")]
    [InlineData("""{"a":"foo"}""", "null", "null")]
    [InlineData("""{"a":"foo"}""", "\"bar\"", "\"bar\"")]
    [InlineData("""{"e":null}""", """{"a":1}""", """{"e":null,"a":1}""")]
    [InlineData("[1,2]", """{"a":"b","c":null}""", """{"a":"b"}""")]
    [InlineData("{}", """{"a":{"bb":{"ccc":null}}}""", """{"a":{"bb":{}}}""")]
    public void Patches_merge_as_the_rfc_shows(string target, string patch, string result) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(result), MergePatch.Merge(JsonNode.Parse(target), JsonNode.Parse(patch))));

    [Theory]
    [InlineData("""{"rateLimit":null}""", "/rateLimit")]
    [InlineData("""{"rateLimit":[]}""", "/rateLimit")]
    public async Task A_misspelt_member_is_named_also_when_it_shall_go(string patch, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var id = await new Parts(admin).NewAsync("plans");
        using var request = new HttpRequestMessage(HttpMethod.Patch, $"/admin/v1/plans/{id}") { Content = new StringContent(patch, Encoding.UTF8, "application/merge-patch+json") };
        request.Headers.TryAddWithoutValidation("If-Match", "*");
        using var refused = await admin.SendAsync(request);
        Assert.Equal([pointer], await refused.ProblemAsync(HttpStatusCode.BadRequest));
    }

    [Fact]
    public async Task A_patch_needs_the_etag_and_gives_the_next_one()
    {
        using var admin = fixture.Catalog.Operator();
        var id = await new Parts(admin).NewAsync("organizations");
        var name = $"Renamed {Guid.NewGuid()}";
        var patch = $$"""{"name":"{{name}}"}""";

        using var without = await PatchAsync(admin, id, patch, null);
        await without.ProblemAsync(HttpStatusCode.PreconditionRequired);
        using var stale = await PatchAsync(admin, id, patch, "\"7\"");
        await stale.ProblemAsync(HttpStatusCode.PreconditionFailed);
        using var weak = await PatchAsync(admin, id, patch, "W/\"1\"");
        await weak.ProblemAsync(HttpStatusCode.PreconditionFailed);
        using var changed = await PatchAsync(admin, id, patch, "\"1\"");
        Assert.Equal("\"2\"", changed.Headers.ETag?.Tag);
        Assert.Equal(name, (await changed.JsonAsync())["name"]!.GetValue<string>());
        using var again = await PatchAsync(admin, id, patch, "\"2\"");
        Assert.Equal("\"2\"", again.Headers.ETag?.Tag);
    }

    [Theory]
    [InlineData("""{"name":null}""", HttpStatusCode.UnprocessableEntity, "/name")]
    [InlineData("""{"name":""}""", HttpStatusCode.UnprocessableEntity, "/name")]
    [InlineData("""{"name":5}""", HttpStatusCode.BadRequest, "/name")]
    [InlineData("""{"nmae":"x"}""", HttpStatusCode.BadRequest, "/nmae")]
    [InlineData("""{"id":"x"}""", HttpStatusCode.BadRequest, "/id")]
    [InlineData("[]", HttpStatusCode.BadRequest, "")]
    [InlineData("null", HttpStatusCode.BadRequest, "")]
    [InlineData("""{"name":"a","name":"b"}""", HttpStatusCode.BadRequest, "")]
    [InlineData("{", HttpStatusCode.BadRequest, "")]
    public async Task A_patch_that_leads_nowhere_is_refused_with_the_field(string patch, HttpStatusCode status, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var id = await new Parts(admin).NewAsync("organizations");
        using var refused = await PatchAsync(admin, id, patch, "*");
        Assert.Equal([pointer], await refused.ProblemAsync(status));
    }

    [Fact]
    public async Task A_patch_says_that_it_is_one()
    {
        using var admin = fixture.Catalog.Operator();
        var id = await new Parts(admin).NewAsync("organizations");
        using var refused = await PatchAsync(admin, id, "{}", "*", "application/json");
        await refused.ProblemAsync(HttpStatusCode.UnsupportedMediaType);
        using var empty = await PatchAsync(admin, id, "{}", "*");
        Assert.Equal("\"1\"", empty.Headers.ETag?.Tag);
    }

    [Fact]
    public async Task What_nobody_needs_can_be_deleted_with_its_etag()
    {
        using var admin = fixture.Catalog.Operator();
        var needed = (await admin.CreateAsync("applications", await new Parts(admin).BodyAsync("applications")))["organizationId"]!.GetValue<string>();
        var free = await new Parts(admin).NewAsync("organizations");

        using var without = await DeleteAsync(admin, free, null);
        await without.ProblemAsync(HttpStatusCode.PreconditionRequired);
        using var conflict = await DeleteAsync(admin, needed, "*");
        await conflict.ProblemAsync(HttpStatusCode.Conflict);
        using var deleted = await DeleteAsync(admin, free, "\"1\"");
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        using var gone = await DeleteAsync(admin, free, "*");
        await gone.ProblemAsync(HttpStatusCode.NotFound);
    }

    private static async Task<HttpResponseMessage> PatchAsync(HttpClient admin, string id, string patch, string? ifMatch, string mediaType = "application/merge-patch+json")
    {
        using var request = new HttpRequestMessage(HttpMethod.Patch, $"/admin/v1/organizations/{id}") { Content = new StringContent(patch, Encoding.UTF8, mediaType) };
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        return await admin.SendAsync(request);
    }

    private static async Task<HttpResponseMessage> DeleteAsync(HttpClient admin, string id, string? ifMatch)
    {
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"/admin/v1/organizations/{id}");
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        return await admin.SendAsync(request);
    }
}
