using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace OpenPlatform.Tests.EndToEnd;

/// <summary>What a partner's call is answered, from the first one to the one over the limit.</summary>
[Collection(PlatformFixture.Collection)]
public sealed class RefusalTests(PlatformFixture platform)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_keyed_call_is_answered_by_a_backend_instance()
    {
        using var answer = await platform.CallAsync(await platform.SecretAsync("demo-key"));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.NotEmpty(answer.Headers.GetValues("X-Instance"));
    }

    [Fact]
    public async Task A_bearer_key_counts_as_well()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/orders/v1/orders");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await platform.SecretAsync("demo-key"));

        using var answer = await platform.Gateway.SendAsync(request, Stop);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task No_key_is_401()
    {
        using var answer = await platform.CallAsync((string?)null);
        await AssertProblemAsync(answer, HttpStatusCode.Unauthorized);
        Assert.NotEmpty(answer.Headers.WwwAuthenticate);
    }

    [Fact]
    public async Task An_unknown_key_is_401()
    {
        using var answer = await platform.CallAsync("opk_nobody-has-this-key-0123456789");
        await AssertProblemAsync(answer, HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_key_without_a_subscription_is_403()
    {
        var partner = await platform.AddPartnerAsync(null);
        using var answer = await platform.CallAsync(partner);
        await AssertProblemAsync(answer, HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task An_unknown_path_is_404()
    {
        using var answer = await platform.SendAsync(HttpMethod.Get, "/nobody/published/this", await platform.SecretAsync("demo-key"));
        await AssertProblemAsync(answer, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task Over_the_limit_is_429_and_a_client_that_waits_as_told_is_answered_again()
    {
        const int Limit = 5, WindowSeconds = 20;
        var partner = await platform.AddPartnerAsync((Limit, WindowSeconds));
        var started = TimeProvider.System.GetTimestamp();

        TimeSpan retryAfter;
        while (true)
        {
            using var answer = await platform.CallAsync(partner);
            if (answer.StatusCode == HttpStatusCode.TooManyRequests)
            {
                await AssertProblemAsync(answer, HttpStatusCode.TooManyRequests);
                retryAfter = answer.Headers.RetryAfter!.Delta!.Value;
                break;
            }

            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        // A bucket of 5 that refills one token in 4 s: what the elapsed time brought back counts.
        var elapsed = TimeProvider.System.GetElapsedTime(started) + TimeSpan.FromSeconds(2);
        Assert.InRange(partner.Answered, Limit, Limit + Math.Ceiling(elapsed.TotalSeconds * Limit / WindowSeconds));
        Assert.InRange(retryAfter, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(WindowSeconds));

        // The wait is what is tested here, not a way to synchronize.
        await Task.Delay(retryAfter, Stop);
        using var afterwards = await platform.CallAsync(partner);
        Assert.Equal(HttpStatusCode.OK, afterwards.StatusCode);
    }

    [Theory]
    [InlineData("/internal/v1/snapshot")]
    [InlineData("/orders/v1/internal/v1/snapshot")]
    [InlineData("/orders/v1/../../internal/v1/snapshot")]
    public async Task The_internal_endpoints_of_the_catalog_are_not_reachable_through_the_gateway(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(platform.Gateway.BaseAddress!, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await platform.SecretAsync("service-token"));

        using var answer = await platform.Gateway.SendAsync(request, Stop);

        Assert.Contains(answer.StatusCode, (HttpStatusCode[])[HttpStatusCode.NotFound, HttpStatusCode.Unauthorized, HttpStatusCode.BadRequest]);
    }

    private static async Task AssertProblemAsync(HttpResponseMessage answer, HttpStatusCode status)
    {
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(Stop);
        Assert.Equal((int)status, problem.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.GetProperty("type").GetString()!);
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
    }
}
