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

    private ConfigChanges Changes => fixture.Catalog.Services.GetRequiredService<ConfigChanges>();

    private async Task<List<(string Type, Guid? Organization, string Data)>> EventsAsync(string subject)
    {
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        return (await connection.QueryAsync<(string, Guid?, string)>(
            "select type, organization_id, data::text from outbox where subject = @subject order by position", new { subject })).AsList();
    }
}
