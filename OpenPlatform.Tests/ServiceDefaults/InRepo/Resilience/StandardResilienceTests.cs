using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using OpenPlatform.Tests.Fixtures;
using Polly.CircuitBreaker;
using Polly.RateLimiting;
using Polly.Timeout;

namespace OpenPlatform.Tests.ServiceDefaults.InRepo.Resilience;

/// <summary>The standard handler as the service defaults put it around every HttpClient, against a real server.</summary>
public sealed class StandardResilienceTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void The_defaults_are_the_official_ones()
    {
        var options = new HttpStandardResilienceOptions();
        Assert.Equal((1000, 0), (options.RateLimiter.DefaultRateLimiterOptions.PermitLimit, options.RateLimiter.DefaultRateLimiterOptions.QueueLimit));
        Assert.Equal(TimeSpan.FromSeconds(30), options.TotalRequestTimeout.Timeout);
        Assert.Equal((3, TimeSpan.FromSeconds(2), true), (options.Retry.MaxRetryAttempts, options.Retry.Delay, options.Retry.UseJitter));
        Assert.Equal(Polly.DelayBackoffType.Exponential, options.Retry.BackoffType);
        Assert.True(options.Retry.ShouldRetryAfterHeader);
        Assert.Equal((0.1, 100), (options.CircuitBreaker.FailureRatio, options.CircuitBreaker.MinimumThroughput));
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(5)), (options.CircuitBreaker.SamplingDuration, options.CircuitBreaker.BreakDuration));
        Assert.Equal(TimeSpan.FromSeconds(10), options.AttemptTimeout.Timeout);
    }

    [Theory]
    [InlineData(408)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task A_safe_request_is_tried_again_when_the_failure_may_pass(int status)
    {
        await using var server = await FailsTwice(status);
        using var host = Build();
        using var answer = await Client(host).GetAsync(server.Address, Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(3, server.Requests);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("DELETE")]
    public async Task An_unsafe_request_is_sent_once(string method)
    {
        await using var server = await FailsTwice(503);
        using var host = Build();
        using var request = new HttpRequestMessage(new HttpMethod(method), server.Address);
        using var answer = await Client(host).SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task A_mistake_of_the_caller_is_not_tried_again()
    {
        await using var server = await FailsTwice(404);
        using var host = Build();
        using var answer = await Client(host).GetAsync(server.Address, Stop);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task The_last_failure_comes_back_when_every_try_fails()
    {
        await using var server = await StubServer.StartAsync(context =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        using var host = Build();
        using var answer = await Client(host).GetAsync(server.Address, Stop);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(4, server.Requests);
    }

    [Fact]
    public async Task Retry_After_decides_how_long_to_wait()
    {
        var waited = new List<TimeSpan>();
        await using var server = await FailsTwice(503, retryAfterSeconds: 0);
        using var host = Build(options =>
        {
            options.Retry.Delay = TimeSpan.FromMinutes(1); // never waited: the answer says "now"
            options.Retry.OnRetry = args =>
            {
                waited.Add(args.RetryDelay);
                return default;
            };
        });
        using var answer = await Client(host).GetAsync(server.Address, Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal([TimeSpan.Zero, TimeSpan.Zero], waited);
    }

    [Fact]
    public async Task A_slow_attempt_is_given_up_and_tried_again_until_the_total_is_used_up()
    {
        await using var server = await StubServer.StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var host = Build(options =>
        {
            options.AttemptTimeout.Timeout = TimeSpan.FromMilliseconds(60);
            options.TotalRequestTimeout.Timeout = TimeSpan.FromMilliseconds(150);
            options.Retry.MaxRetryAttempts = 20;
        });
        await Assert.ThrowsAsync<TimeoutRejectedException>(() => Client(host).GetAsync(server.Address, Stop));
        Assert.InRange(server.Requests, 2, 10);
    }

    [Fact]
    public async Task A_service_in_trouble_opens_its_own_circuit_and_nobody_elses()
    {
        await using var sick = await StubServer.StartAsync(context =>
        {
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        await using var sound = await StubServer.StartAsync("sound");
        using var host = Build(options =>
        {
            options.Retry.ShouldHandle = _ => ValueTask.FromResult(false);
            options.CircuitBreaker.MinimumThroughput = 5;
        });
        var http = Client(host);
        for (var i = 0; i < 5; i++)
        {
            using var answer = await http.GetAsync(sick.Address, Stop);
        }

        await Assert.ThrowsAsync<BrokenCircuitException>(() => http.GetAsync(sick.Address, Stop));
        Assert.Equal(5, sick.Requests);
        Assert.Equal("sound", await http.GetStringAsync(sound.Address, Stop));
    }

    [Fact]
    public async Task More_requests_at_once_than_allowed_are_refused_unsent()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await StubServer.StartAsync(_ => release.Task);
        using var host = Build(options => options.RateLimiter.DefaultRateLimiterOptions.PermitLimit = 2);
        var http = Client(host);
        Task<HttpResponseMessage>[] allowed = [http.GetAsync(server.Address, Stop), http.GetAsync(server.Address, Stop)];
        await Eventually.TrueAsync(() => server.Requests == 2);
        await Assert.ThrowsAsync<RateLimiterRejectedException>(() => http.GetAsync(server.Address, Stop));
        release.SetResult();
        foreach (var answer in await Task.WhenAll(allowed))
        {
            answer.Dispose();
        }

        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task Settings_that_contradict_each_other_stop_the_start()
    {
        using var host = Build(options => options.AttemptTimeout.Timeout = TimeSpan.FromMinutes(2));
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Stop));
        Assert.Contains("AttemptTimeout (120 s) must not be longer than TotalRequestTimeout (30 s)", error.Message, StringComparison.Ordinal);
        Assert.Contains("SamplingDuration", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_value_out_of_its_range_stops_the_start()
    {
        using var host = Build(options => options.Retry.MaxRetryAttempts = -1);
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Stop));
        Assert.Contains("MaxRetryAttempts", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Retries_are_counted()
    {
        var retries = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument is { Meter.Name: "Polly", Name: "resilience.polly.strategy.events" })
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        var name = $"client-{Guid.NewGuid():n}"; // tests beside this one retry too
        listener.SetMeasurementEventCallback<int>((_, value, tags, _) =>
        {
            var all = tags.ToArray();
            if (all.Contains(new("event.name", "OnRetry")) && all.Contains(new("pipeline.name", $"{name}-standard")))
            {
                Interlocked.Add(ref retries, value);
            }
        });
        listener.Start();

        await using var server = await FailsTwice(503);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddHttpClient(name).AddStandardResilienceHandler(options => options.Retry.Delay = TimeSpan.FromMilliseconds(1));
        using var host = builder.Build();
        using var answer = await host.Services.GetRequiredService<IHttpClientFactory>().CreateClient(name).GetAsync(server.Address, Stop);
        Assert.Equal(2, Volatile.Read(ref retries));
    }

    private static Task<StubServer> FailsTwice(int status, int? retryAfterSeconds = null)
    {
        var count = 0;
        return StubServer.StartAsync(context =>
        {
            if (Interlocked.Increment(ref count) <= 2)
            {
                context.Response.StatusCode = status;
                if (retryAfterSeconds is { } seconds)
                {
                    context.Response.Headers.RetryAfter = seconds.ToString();
                }
            }

            return Task.CompletedTask;
        });
    }

    private static IHost Build(Action<HttpStandardResilienceOptions>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.AddServiceDefaults();
        builder.Services.ConfigureAll<HttpStandardResilienceOptions>(options =>
        {
            options.Retry.Delay = TimeSpan.FromMilliseconds(1);
            configure?.Invoke(options);
        });
        return builder.Build();
    }

    private static HttpClient Client(IHost host) => host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("test");
}
