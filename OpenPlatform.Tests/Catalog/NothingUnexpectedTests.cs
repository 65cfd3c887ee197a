using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;

namespace OpenPlatform.Tests.Catalog;

/// <summary>What the database would refuse, the answer says first: never a 500.</summary>
public sealed class NothingUnexpectedTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    [Fact]
    public async Task A_key_that_was_revoked_and_is_declared_again_is_a_problem_with_its_place()
    {
        using var admin = fixture.Catalog.Operator();
        var puts = JsonNode.Parse("""{"organizations":[{"name":"again"}],"applications":[{"name":"shop","organization":"again","credentials":[{"name":"ci","key":"a-key-that-will-leak-0123456789"}]}]}""")!;
        using var applied = await admin.PostAsJsonAsync("/admin/v1/changesets", new { puts });
        Assert.Equal(HttpStatusCode.Created, applied.StatusCode);
        var credentials = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/credentials?limit=200"))!["items"]!.AsArray();
        using var revoked = await admin.ActAsync($"credentials/{Assert.Single(credentials, static credential => credential!["prefix"]!.GetValue<string>() == "a-key-t")!.Id()}:revoke", "*");
        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);

        using var again = await admin.PostAsJsonAsync("/admin/v1/changesets", new { puts });

        Assert.Equal(["/puts/applications/0/credentials/0/key"], await again.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_key_of_another_application_is_a_problem_with_its_place()
    {
        using var admin = fixture.Catalog.Operator();
        var puts = JsonNode.Parse(
            """
            {"organizations":[{"name":"twice"}],"applications":[
              {"name":"one","organization":"twice","credentials":[{"name":"ci","key":"a-key-of-two-programs-0123456789"}]},
              {"name":"two","organization":"twice","credentials":[{"name":"ci","key":"a-key-of-two-programs-0123456789"}]}]}
            """)!;

        using var refused = await admin.PostAsJsonAsync("/admin/v1/changesets", new { puts });

        Assert.Equal(["/puts/applications/1/credentials/0/key"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_credential_that_ends_with_time_itself_is_rotated()
    {
        using var admin = fixture.Catalog.Operator();
        var application = await new Parts(admin).NewAsync("applications");
        var credential = await admin.CreateAsync("credentials", new { applicationId = application, expiresAt = "9999-12-31T23:59:59Z" });

        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.ExecuteAsync("update credentials set created_at = created_at - interval '1 day' where id = @id", new { id = Guid.Parse(credential.Id()) });

        using var rotated = await admin.ActAsync($"credentials/{credential.Id()}:rotate", "*", new { });

        Assert.True(rotated.StatusCode == HttpStatusCode.Created, await rotated.Content.ReadAsStringAsync());
        Assert.StartsWith("9999-12-31", (await rotated.JsonAsync())["expiresAt"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTPS://hooks.example/x", "https://hooks.example/x")]
    [InlineData("  https://hooks.example/y ", "https://hooks.example/y")]
    public async Task The_address_of_a_webhook_is_kept_as_addresses_are_written(string given, string kept)
    {
        using var admin = fixture.Catalog.Operator();
        var webhook = await admin.CreateAsync("webhooks", new { url = given });
        Assert.Equal(kept, webhook["url"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_sunset_before_the_deprecation_that_was_announced_is_a_problem_with_its_place()
    {
        using var admin = fixture.Catalog.Operator();
        var (api, version) = await ApiAsync(admin);
        using var announced = await admin.ActAsync($"apis/{api}/versions/{version}:deprecate", "*", new { deprecatedAt = "2998-01-01T00:00:00Z", sunsetAt = "2999-01-01T00:00:00Z" });
        Assert.Equal(HttpStatusCode.OK, announced.StatusCode);

        using var refused = await admin.ActAsync($"apis/{api}/versions/{version}:deprecate", "*", new { sunsetAt = "2997-01-01T00:00:00Z" });

        Assert.Equal(["/sunsetAt"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_plan_of_another_API_is_no_way_out_of_a_retired_version()
    {
        using var admin = fixture.Catalog.Operator();
        var (api, version) = await ApiAsync(admin);
        var (other, _) = await ApiAsync(admin);
        var parts = new Parts(admin);
        var subscription = await admin.CreateAsync("subscriptions", new { applicationId = await parts.NewAsync("applications"), planId = await parts.NewAsync("plans"), versionId = version });
        var plan = await parts.BodyAsync("plans");
        plan["apis"] = new JsonArray(other);
        var elsewhere = await admin.CreateAsync("plans", plan);
        foreach (var verb in new[] { "deprecate", "retire" })
        {
            using var moved = await admin.ActAsync($"apis/{api}/versions/{version}:{verb}", "*");
            Assert.True(moved.IsSuccessStatusCode, $"{verb}: {await moved.Content.ReadAsStringAsync()}");
        }

        using var refused = await admin.ActAsync($"subscriptions/{subscription.Id()}:changePlan", "*", new { planId = elsewhere.Id() });

        Assert.Equal(["/planId"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task A_body_that_may_be_absent_is()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        body["draft"] = true;
        var api = await admin.CreateAsync("apis", body);
        foreach (var verb in new[] { "publish", "deprecate" })
        {
            using var moved = await admin.ActAsync($"apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}:{verb}", "*");
            Assert.True(moved.IsSuccessStatusCode, $"{verb}: {await moved.Content.ReadAsStringAsync()}");
        }
    }

    [Fact]
    public async Task A_cursor_that_nobody_gave_is_refused()
    {
        using var admin = fixture.Catalog.Operator();
        var cursor = Convert.ToBase64String("[null]"u8).TrimEnd('=');
        using var refused = await admin.GetAsync($"/admin/v1/usage?granularity=total&groupBy=operation&cursor={cursor}");
        await refused.ProblemAsync(HttpStatusCode.BadRequest);
    }

    private static async Task<(string Api, string Version)> ApiAsync(HttpClient admin)
    {
        var api = await admin.CreateAsync("apis", await new Parts(admin).BodyAsync("apis"));
        return (api.Id(), api["versions"]![0]!.Id());
    }
}
