using System.Net;
using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Lifecycle;

/// <summary>Versions that end, and versions that are blocked, as their callers see it.</summary>
public sealed class LifecycleTests : IAsyncLifetime
{
    private const string Path = "/orders/v1/orders";

    private static readonly DateTimeOffset DeprecatedAt = new(2023, 6, 30, 23, 59, 59, TimeSpan.Zero);
    private static readonly LifecycleModel Deprecated = new(
        LifecycleStates.Deprecated, DeprecatedAt, new DateTimeOffset(2031, 1, 1, 0, 0, 0, TimeSpan.Zero), "/orders/v2", "https://docs.example/orders/v1-ends");

    private readonly ManualTime _time = new();
    private TestBackend _backend = null!;
    private TestCatalog _catalog = null!;
    private GatewayHost _gateway = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _backend = await TestBackend.StartAsync(static context =>
        {
            context.Response.Headers["Deprecation"] = "@1";
            context.Response.Headers.Link = "</orders?page=2>; rel=\"next\"";
            return TestBackend.Hello(context);
        });
        _catalog = await TestCatalog.StartAsync(Snapshot());
        _gateway = await GatewayHost.StartAsync(_catalog, _time);
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Fact]
    public async Task A_deprecated_version_says_so_on_every_answer()
    {
        await PublishAsync(Snapshot(Deprecated));
        using var client = _gateway.Client();
        using var answered = await client.GetAsync(Path, Stop);
        Assert.Equal("hello", await answered.Content.ReadAsStringAsync(Stop));
        Assert.Equal(["</orders?page=2>; rel=\"next\"", .. Links], answered.Headers.GetValues("Link"));
        AssertAnnounced(answered);

        using var stranger = _gateway.Client("nobody's key");
        using var unauthorized = await stranger.GetAsync(Path, Stop);
        using var noSuchPath = await client.GetAsync("/orders/v1/nothing", Stop);
        using var noSuchMethod = await client.DeleteAsync(Path, Stop);
        foreach (var (refused, status) in new[] { (unauthorized, 401), (noSuchPath, 404), (noSuchMethod, 405) })
        {
            Assert.Equal(status, (int)refused.StatusCode);
            Assert.Equal(Links, refused.Headers.GetValues("Link"));
            AssertAnnounced(refused);
        }
    }

    [Fact]
    public async Task A_published_version_leaves_to_its_backend_what_it_says()
    {
        using var client = _gateway.Client();
        using var response = await client.GetAsync(Path, Stop);
        Assert.Equal(["@1"], response.Headers.GetValues("Deprecation"));
        Assert.False(response.Headers.Contains("Sunset"));
    }

    [Fact]
    public async Task A_retired_version_answers_410_with_its_successor_wherever_it_answered()
    {
        await PublishAsync(Snapshot(Deprecated with { State = LifecycleStates.Retired }));
        using var client = _gateway.Client();
        using var anonymous = _gateway.Client(key: null);
        foreach (var (caller, path) in new[] { (client, Path), (anonymous, Path), (client, "/orders/v1/nothing") })
        {
            using var response = await caller.GetAsync(path, Stop);
            Assert.Equal(HttpStatusCode.Gone, response.StatusCode);
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
            var problem = JsonElement.Parse(await response.Content.ReadAsStringAsync(Stop));
            Assert.Equal("urn:openplatform:refusal:version-retired", problem.GetProperty("type").GetString());
            Assert.Equal("/orders/v2", problem.GetProperty("successor").GetString());
            Assert.Equal(Links, response.Headers.GetValues("Link"));
            AssertAnnounced(response);
        }

        // "/orders" is another version, above it.
        using var other = await client.GetAsync("/orders/v2/plain", Stop);
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
        Assert.Equal(0, _backend.Calls);
    }

    [Fact]
    public async Task A_browser_page_can_read_that_a_version_has_ended()
    {
        var snapshot = Snapshot(Deprecated with { State = LifecycleStates.Retired });
        await PublishAsync(snapshot.WithPolicies(new() { Cors = new(["https://app.example"]) }));
        using var client = _gateway.Client(key: null);
        client.DefaultRequestHeaders.Add("Origin", "https://app.example");
        using var response = await client.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.Gone, response.StatusCode);
        Assert.Equal(["https://app.example"], response.Headers.GetValues("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task A_block_refuses_every_call_and_ends_by_itself()
    {
        await PublishAsync(Snapshot(blocked: new("Leaks \"data\"", _time.GetUtcNow().AddSeconds(90))));
        using var client = _gateway.Client();
        using (var blocked = await client.GetAsync(Path, Stop))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, blocked.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(90), blocked.Headers.RetryAfter!.Delta);
            var problem = JsonElement.Parse(await blocked.Content.ReadAsStringAsync(Stop));
            Assert.Equal("urn:openplatform:refusal:version-blocked", problem.GetProperty("type").GetString());
            Assert.Equal("Leaks \"data\"", problem.GetProperty("reason").GetString());
        }

        _time.Advance(TimeSpan.FromSeconds(89.5));
        using (var blocked = await client.GetAsync(Path, Stop))
        {
            Assert.Equal(TimeSpan.FromSeconds(1), blocked.Headers.RetryAfter!.Delta);
        }

        _time.Advance(TimeSpan.FromSeconds(0.5));
        using var free = await client.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.OK, free.StatusCode);
        Assert.Equal(1, _backend.Calls);
    }

    [Fact]
    public async Task A_block_without_an_end_holds_until_it_is_taken_away()
    {
        await PublishAsync(Snapshot(Deprecated, new("Under investigation")));
        using var client = _gateway.Client();
        _time.Advance(TimeSpan.FromDays(400));
        using (var blocked = await client.GetAsync(Path, Stop))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, blocked.StatusCode);
            Assert.Null(blocked.Headers.RetryAfter);
            AssertAnnounced(blocked);
        }

        await PublishAsync(Snapshot(Deprecated) with { Revision = 3 });
        using var free = await client.GetAsync(Path, Stop);
        Assert.Equal(HttpStatusCode.OK, free.StatusCode);
    }

    private static string[] Links => ["</orders/v2>; rel=\"successor-version\"", "<https://docs.example/orders/v1-ends>; rel=\"deprecation\""];

    private static void AssertAnnounced(HttpResponseMessage response)
    {
        Assert.Equal(["@1688169599"], response.Headers.GetValues("Deprecation"));
        Assert.Equal(["Wed, 01 Jan 2031 00:00:00 GMT"], response.Headers.GetValues("Sunset"));
    }

    private Snapshot Snapshot(LifecycleModel? lifecycle = null, BlockModel? blocked = null)
    {
        var snapshot = TestSnapshot.Create([_backend.Address], revision: lifecycle is null && blocked is null ? 1 : 2);
        return snapshot with { Apis = [snapshot.Apis[0] with { Lifecycle = lifecycle, Blocked = blocked }, .. snapshot.Apis.Skip(1)] };
    }

    private async Task PublishAsync(Snapshot snapshot)
    {
        _catalog.Publish(snapshot);
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == snapshot.Revision);
    }
}
