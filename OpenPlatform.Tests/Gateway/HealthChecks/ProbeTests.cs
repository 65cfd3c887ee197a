using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.HealthChecks;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.HealthChecks;

/// <summary>Probes of a whole gateway to real backends.</summary>
public sealed class ProbeTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_instance_is_probed_once_an_interval_whatever_the_number_of_operations()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Snapshot([backend.Address], new ActiveHealth("/health?deep=1", IntervalMs: 200)));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        await Eventually.TrueAsync(() => !backend.Requests.IsEmpty);
        var (before, clock) = (backend.Requests.Count, Stopwatch.StartNew());
        await Eventually.TrueAsync(() => backend.Requests.Count >= before + 10);
        Assert.True(clock.Elapsed > TimeSpan.FromMilliseconds(9 * 180), $"10 probes in {clock.Elapsed}"); // nine waits, a tenth shorter at most
        Assert.All(backend.Requests, static probe => Assert.Equal(("GET", "/health?deep=1"), (probe.Method, probe.Path)));
    }

    [Fact]
    public async Task Who_says_that_it_is_unwell_gets_no_requests_until_it_is_well()
    {
        var ill = false;
        await using var good = await TestBackend.StartAsync();
        await using var other = await TestBackend.StartAsync(context =>
        {
            context.Response.StatusCode = context.Request.Path == "/health" && Volatile.Read(ref ill) ? 503 : 200;
            return Task.CompletedTask;
        });
        await using var catalog = await TestCatalog.StartAsync(Snapshot([good.Address, other.Address], new ActiveHealth("/health", IntervalMs: 100, UnhealthyThreshold: 2)));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        EjectionReason? Reason() => gateway.Services.GetRequiredService<InstanceDirectory>().Describe().Single(i => i.Address == other.Address).EjectedBecause;

        Volatile.Write(ref ill, true);
        await Eventually.TrueAsync(() => Reason() == EjectionReason.ProbeFailed);
        for (var i = 0; i < 50; i++)
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
        }

        Assert.DoesNotContain(other.Requests, static r => r.Path == "/orders");
        Volatile.Write(ref ill, false);
        await Eventually.TrueAsync(async () =>
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
            return Reason() is null && other.Requests.Any(static r => r.Path == "/orders");
        });
    }

    [Fact]
    public async Task Who_joins_gets_its_first_request_after_its_first_good_probe()
    {
        var isStarting = true;
        await using var old = await TestBackend.StartAsync();
        await using var joins = await TestBackend.StartAsync(context =>
        {
            context.Response.StatusCode = Volatile.Read(ref isStarting) ? 503 : 200;
            return Task.CompletedTask;
        });
        var active = new ActiveHealth("/health", IntervalMs: 100);
        await using var catalog = await TestCatalog.StartAsync(Snapshot([old.Address], active));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        catalog.Publish(Snapshot([old.Address, joins.Address], active, revision: 2));
        await Eventually.TrueAsync(() => joins.Requests.Count >= 3);
        for (var i = 0; i < 50; i++)
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
        }

        Assert.All(joins.Requests, static r => Assert.Equal("/health", r.Path));
        Assert.Contains(gateway.Services.GetRequiredService<InstanceDirectory>().Describe(), i => i.Address == joins.Address && i.State == InstanceStateName.Starting);
        Volatile.Write(ref isStarting, false);
        await Eventually.TrueAsync(async () =>
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
            return joins.Requests.Any(static r => r.Path == "/orders");
        });
    }

    [Fact]
    public async Task A_frozen_instance_is_left_though_no_request_has_timed_out_and_taken_back_when_it_thaws()
    {
        var thawed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        thawed.SetResult();
        async Task AnswerAsync(HttpContext context)
        {
            await Volatile.Read(ref thawed).Task.WaitAsync(context.RequestAborted);
            await TestBackend.Hello(context);
        }

        await using var good = await TestBackend.StartAsync();
        await using var freezes = await TestBackend.StartAsync(AnswerAsync);
        await using var catalog = await TestCatalog.StartAsync(Snapshot([good.Address, freezes.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog); // requests would time out after a minute
        var instance = gateway.Snapshot.Current!.Backends[0].Ready.Single(i => i.Config.Address == freezes.Address);
        var load = Load.Start(() => gateway.Client(), "/orders/v1/orders");
        await Eventually.TrueAsync(() => freezes.Requests.Count > 50);

        Volatile.Write(ref thawed, new(TaskCreationOptions.RunContinuationsAsynchronously));
        await Eventually.TrueAsync(() => instance.Health.OutBecause == EjectionReason.Silent);
        await Eventually.TrueAsync(() => instance.InFlight == 0); // what waited for it is answered elsewhere
        var asked = freezes.Requests.Count(static r => r.Method == "GET");
        var answers = load.Answers;
        await Eventually.TrueAsync(() => load.Answers > answers + 500);
        Assert.Equal(asked, freezes.Requests.Count(static r => r.Method == "GET")); // probes try it, requests do not

        thawed.SetResult();
        await Eventually.TrueAsync(() => !instance.IsEjected && freezes.Requests.Count(static r => r.Method == "GET") > asked + 20);
        Assert.Empty(await load.StopAsync());
    }

    [Fact]
    public async Task What_may_not_be_repeated_waits_for_the_thaw()
    {
        var thawed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        async Task AnswerAsync(HttpContext context)
        {
            await thawed.Task.WaitAsync(context.RequestAborted);
            await TestBackend.Hello(context);
        }

        await using var good = await TestBackend.StartAsync();
        await using var frozen = await TestBackend.StartAsync(AnswerAsync);
        await using var catalog = await TestCatalog.StartAsync(Snapshot([good.Address, frozen.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        var instance = gateway.Snapshot.Current!.Backends[0].Ready.Single(i => i.Config.Address == frozen.Address);
        var posts = new List<Task<HttpResponseMessage>>();
        await Eventually.TrueAsync(() =>
        {
            posts.Add(client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop));
            return instance.Health.OutBecause == EjectionReason.Silent;
        });
        Assert.NotEqual(0, instance.InFlight);
        thawed.SetResult();
        foreach (var response in await Task.WhenAll(posts))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            response.Dispose();
        }
    }

    [Fact]
    public async Task A_slow_instance_that_lives_is_not_taken_for_frozen()
    {
        await using var good = await TestBackend.StartAsync();
        await using var slow = await TestBackend.StartAsync(static context => context.Request.Method == "HEAD" ? Task.CompletedTask : Task.Delay(Timeout.Infinite, context.RequestAborted));
        await using var catalog = await TestCatalog.StartAsync(Snapshot([good.Address, slow.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var leaves = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        Task[] calls = [.. Enumerable.Range(0, 4).Select(_ => client.GetAsync("/orders/v1/orders", leaves.Token))];
        await Eventually.TrueAsync(() => slow.Requests.Count(static r => r.Method == "HEAD") >= 2 || slow.Requests.IsEmpty && calls.All(static c => c.IsCompleted));
        Assert.All(gateway.Snapshot.Current!.Backends[0].Ready, static i => Assert.False(i.IsEjected));
        await leaves.CancelAsync();
        await Task.WhenAll(calls).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    [Fact]
    public async Task Whether_a_dead_instance_is_back_is_found_out_without_a_request()
    {
        var dies = await TestBackend.StartAsync();
        await using var good = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Snapshot([good.Address, dies.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        var instance = gateway.Snapshot.Current!.Backends[0].Ready.Single(i => i.Config.Address == dies.Address);
        await dies.DisposeAsync();
        await Eventually.TrueAsync(async () =>
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
            return instance.IsEjected;
        });
        var tries = instance.Ended;
        await using var back = await TestBackend.StartAsync(static context =>
        {
            context.Response.StatusCode = context.Request.Method == "HEAD" ? 404 : 200;
            return Task.CompletedTask;
        }, port: dies.Address.Port);
        await Eventually.TrueAsync(() => instance.Health.IsOnTrial);
        Assert.Equal(tries, instance.Ended); // nobody had to fail for it
        await Eventually.TrueAsync(async () =>
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
            return !instance.IsEjected;
        });
    }

    private static Snapshot Snapshot(Uri[] addresses, ActiveHealth? active = null, long revision = 1)
    {
        var snapshot = TestSnapshot.Create(addresses, revision);
        return snapshot with { Backends = [snapshot.Backends[0] with { Health = new(active), Balancing = new(RampSeconds: 0) }] };
    }
}
