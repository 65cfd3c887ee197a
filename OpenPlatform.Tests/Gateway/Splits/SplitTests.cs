using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Splits;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Splits;

public sealed class SplitTests
{
    private static readonly Guid Canary = PolicySnapshots.OtherBackendId;
    private static readonly HeaderDictionary NoHeaders = [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_header_and_then_the_application_decide_and_the_answer_says_who_answered()
    {
        await using var old = await TestBackend.StartAsync(static context => context.Response.WriteAsync("old"));
        await using var canary = await TestBackend.StartAsync(static context => context.Response.WriteAsync("canary"));
        var snapshot = TestSnapshot.Create([old.Address]).WithOtherBackend(canary.Address).WithStrangerSubscribed();
        snapshot = snapshot.WithPolicies(new()
        {
            Split = new([new("canary", Canary, Header: new("X-Canary", "yes"), Applications: [snapshot.Stranger()])], ShowVariant: true),
        });
        await using var catalog = await TestCatalog.StartAsync(snapshot);
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var stranger = gateway.Client(TestSnapshot.StrangerKey);
        Assert.Equal(("old", "default"), await CallAsync(client));
        Assert.Equal(("canary", "canary"), await CallAsync(stranger));
        client.DefaultRequestHeaders.Add("x-canary", "yes");
        Assert.Equal(("canary", "canary"), await CallAsync(client));
    }

    [Fact]
    public void A_weight_is_the_share_of_applications_and_growing_it_moves_nobody_back()
    {
        var applications = Enumerable.Range(0, 20_000).Select(static _ => Guid.NewGuid()).ToArray();
        var five = applications.Where(a => Split(5).Variant(NoHeaders, a) == 0).ToHashSet();
        var twenty = applications.Where(a => Split(20).Variant(NoHeaders, a) == 0).ToHashSet();
        Assert.InRange(five.Count, 850, 1150); // 1,000 ± 5 σ of a fair hash
        Assert.InRange(twenty.Count, 3700, 4300);
        Assert.True(five.IsSubsetOf(twenty));
        Assert.All(applications, a => Assert.Equal(0, Split(100).Variant(NoHeaders, a)));
        Assert.All(applications, a => Assert.Equal(-1, Split(0).Variant(NoHeaders, a)));
    }

    [Fact]
    public void With_a_sticky_header_the_same_value_gets_the_same_variant()
    {
        var split = Split(50, sticky: "X-User");
        var variants = Enumerable.Range(0, 2000).Select(user => split.Variant(new HeaderDictionary { ["X-User"] = $"user-{user}" }, Guid.NewGuid())).ToArray();
        Assert.Equal(variants, Enumerable.Range(0, 2000).Select(user => split.Variant(new HeaderDictionary { ["X-User"] = $"user-{user}" }, Guid.NewGuid())));
        Assert.InRange(variants.Count(static v => v == 0), 880, 1120);
    }

    [Fact]
    public void Choosing_allocates_nothing()
    {
        var split = Split(50, sticky: "X-User");
        var headers = new HeaderDictionary { ["X-User"] = "someone" };
        var application = Guid.NewGuid();
        split.Variant(headers, application);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            split.Variant(headers, application);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static SplitModel Split(double percent, string? sticky = null)
    {
        var backend = new BackendModel(Canary, "canary", null, []);
        return new(TestSnapshot.VersionId, new([new("canary", Canary, percent)], sticky),
            new Dictionary<Guid, BackendState> { [Canary] = new(backend, TimeProvider.System, NullLogger.Instance) });
    }

    private static async Task<(string Text, string Variant)> CallAsync(HttpClient client)
    {
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        return (await response.Content.ReadAsStringAsync(Stop), response.Headers.GetValues("X-OpenPlatform-Variant").Single());
    }
}
