using System.Net;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.EndToEnd;

[Collection(PlatformFixture.Collection)]
public sealed class UsageTests(PlatformFixture platform)
{
    private const int Calls = 10_000;
    private const int Callers = 8;

    [Fact]
    public async Task Ten_thousand_calls_are_ten_thousand_units() => await CallAndCompareAsync(kill: false);

    [Fact]
    public async Task Ten_thousand_calls_are_ten_thousand_units_when_a_gateway_is_killed_in_the_middle() => await CallAndCompareAsync(kill: true);

    /// <summary>
    /// Callers repeat a call that got no answer (the connection broke with the killed gateway), as an HTTP client does for GET; so
    /// the calls answered are exactly as many as wanted, and each must be billed once.
    /// </summary>
    private async Task CallAndCompareAsync(bool kill)
    {
        var stop = TestContext.Current.CancellationToken;
        var partner = await platform.AddPartnerAsync((10_000_000, 60));
        var wanted = Calls;
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!kill)
        {
            killed.SetResult();
        }

        await Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Decrement(ref wanted) is var left and >= 0)
            {
                if (left == Calls / 2 && kill)
                {
                    await platform.CommandAsync(platform.Replicas("gateway")[0], "kill-one");
                    killed.SetResult();
                }

                while (!await AnsweredAsync(partner))
                {
                    stop.ThrowIfCancellationRequested();
                }
            }
        }, stop)));
        await killed.Task;

        Assert.True(partner.Answered >= Calls);
        await Eventually.TrueAsync(async () => await platform.UsageAsync(partner) >= partner.Answered, TimeSpan.FromSeconds(60));
        await platform.UntilHealthyAsync("gateway", 2);
        Assert.Equal(partner.Answered, await platform.UsageAsync(partner));
    }

    private async Task<bool> AnsweredAsync(Partner partner)
    {
        try
        {
            using var answer = await platform.CallAsync(partner);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            return true;
        }
        catch (HttpRequestException)
        {
            return false; // no answer: the connection broke
        }
    }
}
