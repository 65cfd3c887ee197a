using System.Diagnostics;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Warmup;

/// <summary>
/// Sends requests through every step to a small server in this process before the gateway listens, so that the first ones of real
/// callers meet compiled code. They run on a snapshot of their own and are neither billed, logged nor limited with others.
/// </summary>
internal sealed partial class WarmupService(
    RequestObserver observer, InstanceDirectory instances, ForwardCompiler forwards, IdentityCompiler identity, LimiterTable limiters, IConfiguration configuration, IServiceProvider services, IOptions<WarmupOptions> options,
    ILogger<WarmupService> logger) : IHostedLifecycleService
{
    private const string Key = "warm-up", Path = "/warm-up/v1/items/1";

    private static readonly Guid Application = Id(5);

    /// <summary>The runtime compiles a method anew, optimised, in the background, when it was called 30 times and nothing new was met for 100 ms.</summary>
    private static readonly TimeSpan TierDelay = TimeSpan.FromMilliseconds(150);

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Requests == 0)
        {
            return;
        }

        var started = Stopwatch.GetTimestamp();
        try
        {
            await using var backend = await StartBackendAsync(cancellationToken);
            var snapshot = SnapshotCompiler.Compile(Snapshot(new(backend.Urls.First())), instances, forwards, identity);
            limiters.SetApart(snapshot.FindApplication(Application)!.Subscriptions.Single(), snapshot.Routes.Find(Path, HttpMethods.Get, out _)!);
            var sent = 0;
            var rounds = 6;
            for (var round = 0; round < rounds && Stopwatch.GetElapsedTime(started) < options.Value.Limit; round++)
            {
                for (var i = 0; i < options.Value.Requests / rounds && Stopwatch.GetElapsedTime(started) < options.Value.Limit; i++, sent++)
                {
                    await SendAsync(snapshot, hasBody: i % 4 == 0);
                }

                await Task.Delay(TierDelay, cancellationToken);
            }

            LogWarm(sent, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogCold(e.Message); // slower first answers, but answers
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <param name="hasBody">Decides by which of the two ways it is forwarded.</param>
    private async Task SendAsync(GatewaySnapshot snapshot, bool hasBody)
    {
        await using var scope = services.CreateAsyncScope();
        var context = new DefaultHttpContext
        {
            RequestServices = scope.ServiceProvider,
            Request = { Method = HttpMethods.Get, Scheme = Uri.UriSchemeHttp, Host = new("warm-up"), Path = Path, Protocol = HttpProtocol.Http11 },
            Response = { Body = Stream.Null },
        };
        context.Request.Headers["X-Api-Key"] = Key;
        context.Features.Set<IHttpRequestBodyDetectionFeature>(new BodyDetection(hasBody));
        await observer.InvokeAsync(new GatewayRequest(context, snapshot, "warm-up") { Purpose = RequestPurpose.Warmup });
    }

    private Snapshot Snapshot(Uri backend)
    {
        var hash = new byte[KeyHash.Size];
        KeyHash.TryCompute(Encoding.UTF8.GetBytes(configuration["OpenPlatform:KeyPepper"] ?? ""), Key, hash);
        return new(
            0, DateTimeOffset.UnixEpoch,
            [new(Id(1), "warm-up", "v1", Id(2), 1, "/warm-up/v1", Id(3), [new("item", HttpMethods.Get, "/items/{id}")])],
            [new(Id(3), "warm-up", null, [backend])],
            [new(Id(4), "warm-up", [new(1_000_000_000, 1), new(1_000_000_000, 60)])],
            [new(Application, Id(6), "warm-up", false)],
            [new(Id(7), Application, hash)],
            [new(Id(8), Application, Id(2), Id(4))]);
    }

    private static Guid Id(int number) => new($"77617265-0000-0000-0000-{number:D12}");

    private static async Task<WebApplication> StartBackendAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(new ActivitySource("Private"));
        var app = builder.Build();
        app.Run(static context =>
        {
            context.Response.ContentType = "application/json";
            return context.Response.WriteAsync("{\"warm\":true}");
        });
        await app.StartAsync(cancellationToken);
        return app;
    }

    private sealed record BodyDetection(bool CanHaveBody) : IHttpRequestBodyDetectionFeature;

    [LoggerMessage(LogLevel.Information, "Warm after {Requests} requests in {Milliseconds:0} ms")]
    private partial void LogWarm(int requests, double milliseconds);

    [LoggerMessage(LogLevel.Warning, "Not warmed up: {Reason}")]
    private partial void LogCold(string reason);
}

internal static class WarmupServices
{
    public static void AddWarmup(this IServiceCollection services)
    {
        services.AddOptionsWithValidateOnStart<WarmupOptions, WarmupOptionsValidator>().BindConfiguration(WarmupOptions.Section);
        services.AddHostedService<WarmupService>();
    }
}
