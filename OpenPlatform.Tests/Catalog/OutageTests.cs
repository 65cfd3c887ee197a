using System.Net;
using System.Net.Http.Json;
using OpenPlatform.Contracts;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>A Postgres of its own, because it is taken away.</summary>
public sealed class OutageTests
{
    [Fact]
    public async Task Postgres_away_at_start_and_later_is_503_and_heals_by_itself()
    {
        await using var postgres = await PostgresServer.StartNewAsync();
        var database = await postgres.CreateDatabaseAsync();
        await postgres.CrashAsync();

        // 1. Away at start: the process is there, alive, not healthy, and says so.
        await using var catalog = new CatalogServer(database);
        using var anonymous = catalog.Anonymous();
        using var admin = catalog.Operator();
        using var gateway = catalog.Gateway();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await CatalogServer.HealthAsync(anonymous));
        using (var alive = await anonymous.GetAsync("/alive"))
        {
            Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        }

        await EverythingIs503Async(admin, gateway);

        // 2. There it comes.
        await postgres.StartAsync();
        await catalog.ReadyAsync();
        await admin.CreateAsync("plans", new { name = "before" });
        var revision = (await catalog.SnapshotAsync()).Revision;

        // 3. Killed in the middle of its life.
        await postgres.CrashAsync();
        await EverythingIs503Async(admin, gateway);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await CatalogServer.HealthAsync(anonymous));

        // 4. And back: what was written is there, and writing goes on where it stopped.
        await postgres.StartAsync();
        await catalog.ReadyAsync();
        await Eventually.TrueAsync(async () =>
        {
            using var written = await admin.PostAsJsonAsync("/admin/v1/plans", new { name = "after" });
            return written.StatusCode is HttpStatusCode.Created or HttpStatusCode.Conflict;
        });
        var snapshot = await catalog.SnapshotAsync();
        Assert.Equal(revision + 1, snapshot.Revision);
        Assert.Equal(["after", "before"], snapshot.Plans.Select(plan => plan.Name).Order());
    }

    private static async Task EverythingIs503Async(HttpClient admin, HttpClient gateway)
    {
        using var read = await admin.GetAsync("/admin/v1/plans");
        await read.ProblemAsync(HttpStatusCode.ServiceUnavailable);
        Assert.NotNull(read.Headers.RetryAfter);
        using var write = await admin.PostAsJsonAsync("/admin/v1/plans", new { name = "lost" });
        await write.ProblemAsync(HttpStatusCode.ServiceUnavailable);
        using var snapshot = await gateway.GetAsync(InternalApi.SnapshotPath);
        await snapshot.ProblemAsync(HttpStatusCode.ServiceUnavailable);
    }
}
