using System.Net;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.EndToEnd;

[Collection(PlatformFixture.Collection)]
public sealed class OutageTests(PlatformFixture platform)
{
    private static readonly string[] Dependencies = ["catalog", "postgres", "redis"];

    [Fact]
    public async Task With_catalog_Postgres_and_Redis_stopped_calls_go_on_and_a_gateway_that_starts_in_that_state_serves_too()
    {
        var key = await platform.SecretAsync("demo-key");
        await AssertAnsweredAsync(key, 10);
        try
        {
            foreach (var dependency in Dependencies)
            {
                await platform.CommandAsync(dependency, "stop");
                await platform.UntilStoppedAsync(dependency);
            }

            await AssertAnsweredAsync(key, 200);

            // All gateways start anew, one after the other, with nothing to ask.
            foreach (var replica in platform.Replicas("gateway"))
            {
                var before = platform.ProcessId(replica);
                await platform.CommandAsync(replica, "kill-one");
                await Eventually.TrueAsync(() => platform.ProcessId(replica) is { } now && now != before, TimeSpan.FromSeconds(30));
                await platform.UntilHealthyAsync("gateway", 2);
            }

            await AssertAnsweredAsync(key, 200);
        }
        finally
        {
            foreach (var dependency in Dependencies.Reverse())
            {
                await platform.CommandAsync(dependency, "start");
            }

            foreach (var dependency in Dependencies)
            {
                await platform.UntilHealthyAsync(dependency, 1);
            }
        }

        await AssertAnsweredAsync(key, 10);
    }

    private async Task AssertAnsweredAsync(string key, int calls)
    {
        for (var call = 0; call < calls; call++)
        {
            using var answer = await platform.CallAsync(key);
            Assert.True(answer.StatusCode == HttpStatusCode.OK, $"call {call}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        }
    }
}
