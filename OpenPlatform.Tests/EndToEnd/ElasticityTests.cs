using System.Collections.Concurrent;
using System.Net;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.EndToEnd;

[Collection(PlatformFixture.Collection)]
public sealed class ElasticityTests(PlatformFixture platform)
{
    [Fact]
    public async Task Scaling_a_backend_to_five_and_back_to_two_under_load_fails_no_request()
    {
        var stop = TestContext.Current.CancellationToken;
        var key = await platform.SecretAsync("demo-key");
        var instances = new ConcurrentDictionary<string, int>();
        using var loadEnds = CancellationTokenSource.CreateLinkedTokenSource(stop);

        var load = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!loadEnds.IsCancellationRequested)
            {
                using var answer = await platform.CallAsync(key);
                Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(stop)}");
                instances.AddOrUpdate(answer.Headers.GetValues("X-Instance").Single(), 1, static (_, n) => n + 1);
            }
        }, stop)).ToArray();

        await platform.App.ScaleAsync("orders", 5, stop);
        Assert.Equal(5, platform.Replicas("orders").Count);
        instances.Clear();
        await Fixtures.Eventually.TrueAsync(() => instances.Count == 5 || load.Any(static t => t.IsFaulted));
        await platform.App.ScaleAsync("orders", 2, stop);
        instances.Clear();
        await Fixtures.Eventually.TrueAsync(() => instances.Values.Sum() > 200 || load.Any(static t => t.IsFaulted), TimeSpan.FromSeconds(30));

        await loadEnds.CancelAsync();
        await Task.WhenAll(load);
        Assert.Equal(2, platform.Replicas("orders").Count);
        Assert.Equal(2, instances.Count);
        await platform.App.ScaleAsync("orders", 3, stop);
    }

    [Fact]
    public async Task Every_replica_has_an_address_of_its_own()
    {
        using var client = new HttpClient();
        foreach (var replica in platform.Replicas("orders"))
        {
            Assert.True(platform.App.ResourceNotifications.TryGetCurrentState(replica, out var state));
            var own = state.Snapshot.Urls.Select(static u => u.Url).Where(static u => u.StartsWith("http", StringComparison.Ordinal)).Distinct().ToArray();
            Assert.True(own.Length >= 2, $"{replica} shows {string.Join(", ", own)}");
            Assert.All(await Task.WhenAll(own.Select(u => client.GetAsync(u.TrimEnd('/') + "/alive", TestContext.Current.CancellationToken))),
                static answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        }
    }
}
