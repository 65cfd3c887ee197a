using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Tests.Catalog;

public sealed class OutboxTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private enum Weather
    {
        VeryFine,
    }

    [Fact]
    public async Task Events_are_kept_in_order_when_their_change_is_committed()
    {
        var subject = $"tests/{Guid.NewGuid()}";
        var organization = Guid.NewGuid();

        await Changes.ApplyAsync<bool>(
            change =>
            {
                for (var i = 0; i < 5; i++)
                {
                    change.Emit($"openplatform.test.happened_{i}", subject, new { Number = i, Weather = Weather.VeryFine }, i == 3 ? organization : null);
                }

                return Task.FromResult<Outcome<bool>>(true);
            }, default);

        var written = await EventsAsync(subject);
        Assert.Equal(Enumerable.Range(0, 5).Select(i => $"openplatform.test.happened_{i}"), written.Select(e => e.Type));
        Assert.Equal("""{"number":3,"weather":"veryFine"}""", written[3].Data);
        Assert.Equal([null, null, null, organization, null], written.Select(e => e.Organization));
    }

    [Fact]
    public async Task A_change_that_ends_in_a_problem_tells_nobody()
    {
        var subject = $"tests/{Guid.NewGuid()}";

        var outcome = await Changes.ApplyAsync<bool>(
            change =>
            {
                change.Emit("openplatform.test.happened", subject, new { });
                return Task.FromResult<Outcome<bool>>(CatalogProblem.Conflict("", "not so"));
            }, default);

        Assert.NotNull(outcome.Problem);
        Assert.Empty(await EventsAsync(subject));
    }

    [Fact]
    public async Task Backends_and_organizations_tell_of_every_change_whichever_way_it_is_made()
    {
        using var admin = fixture.Catalog.Operator();
        await ApplyAsync(new() { ["puts"] = Puts("http://10.0.0.1") });
        await ApplyAsync(new() { ["puts"] = Puts("http://10.0.0.1") }); // the same is no change
        await ApplyAsync(new() { ["puts"] = Puts("http://10.0.0.2") });
        var backend = await SubjectAsync("backends", "told");
        using var patched = await admin.PatchAsync(backend, "*", new { addresses = new[] { "http://10.0.0.3" } });
        var organization = await SubjectAsync("organizations", "told");
        await ApplyAsync(new() { ["deletes"] = new JsonObject { ["backends"] = new JsonArray("told"), ["organizations"] = new JsonArray("told") } });
        var direct = await admin.CreateAsync("backends", new { name = "told", service = "told" });
        using var deleted = await admin.DeleteAsync($"backends/{direct.Id()}", "*");

        Assert.Equal(["created", "changed", "changed", "deleted"], (await EventsAsync(backend)).Select(static e => e.Type.Replace("openplatform.backend.", "", StringComparison.Ordinal)));
        Assert.Contains("10.0.0.3", (await EventsAsync(backend))[^1].Data, StringComparison.Ordinal);
        Assert.Equal(["created", "deleted"], (await EventsAsync($"backends/{direct.Id()}")).Select(static e => e.Type.Replace("openplatform.backend.", "", StringComparison.Ordinal)));
        var told = await EventsAsync(organization);
        Assert.Equal(["created", "deleted"], told.Select(static e => e.Type.Replace("openplatform.organization.", "", StringComparison.Ordinal)));
        Assert.All(told, e => Assert.Equal(Guid.Parse(organization["organizations/".Length..]), e.Organization));

        static JsonObject Puts(string address) => new()
        {
            ["backends"] = new JsonArray(new JsonObject { ["name"] = "told", ["addresses"] = new JsonArray(address) }), ["organizations"] = new JsonArray(new JsonObject { ["name"] = "told" }),
        };

        async Task ApplyAsync(JsonObject changeset)
        {
            using var response = await admin.PostAsJsonAsync("/admin/v1/changesets", changeset);
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        }

        async Task<string> SubjectAsync(string list, string name) =>
            $"{list}/{JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/{list}?limit=200"))!["items"]!.AsArray().Single(item => item!["name"]!.GetValue<string>() == name)!.Id()}";
    }

    private ConfigChanges Changes => fixture.Catalog.Services.GetRequiredService<ConfigChanges>();

    private async Task<List<(string Type, Guid? Organization, string Data)>> EventsAsync(string subject)
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        return (await connection.QueryAsync<(string, Guid?, string)>(
            "select type, organization_id, data::text from outbox where subject = @subject order by position", new { subject })).AsList();
    }
}
