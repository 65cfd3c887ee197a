using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.EndToEnd;

/// <summary>
/// The whole system from <c>AppHost.cs</c>, started once for all tests of the collection on random ports: real Postgres, Redis or Garnet,
/// a catalog, two gateways, three backend instances.
/// </summary>
public sealed class PlatformFixture : IAsyncLifetime
{
    public const string Collection = "platform";

    private readonly ConcurrentDictionary<string, ResourceEvent> _latest = new();
    private readonly CancellationTokenSource _stopFollowing = new();
    private DistributedApplication? _app;
    private Task _following = Task.CompletedTask;

    public DistributedApplication App => _app ?? throw new InvalidOperationException("The platform did not start.");

    /// <summary>The gateways' shared address; a new connection for each call, so that calls spread over the replicas.</summary>
    public HttpClient Gateway { get; private set; } = null!;

    /// <summary>The catalog, with the admin token.</summary>
    public HttpClient Admin { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3)); // the first run on a machine downloads
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.OpenPlatform_AppHost>(limit.Token);
        _app = await builder.BuildAsync(limit.Token);
        _following = FollowAsync(_stopFollowing.Token);
        try
        {
            await App.StartAsync(limit.Token);
            await App.ResourceNotifications.WaitForResourceHealthyAsync("gateway", limit.Token);
        }
        catch (OperationCanceledException e)
        {
            throw new TimeoutException($"The platform did not start:\n{await DescribeAsync()}", e);
        }

        await UntilHealthyAsync("gateway", 2);

        Gateway = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero }) { BaseAddress = App.GetEndpoint("gateway", "http") };
        Admin = App.CreateHttpClient("catalog", "http");
        Admin.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await SecretAsync("admin-token"));
    }

    public async ValueTask DisposeAsync()
    {
        await _stopFollowing.CancelAsync();
        await _following;
        _stopFollowing.Dispose();
        Gateway?.Dispose();
        Admin?.Dispose();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }
    }

    /// <summary>The value of a parameter of the application model.</summary>
    public async Task<string> SecretAsync(string parameter) =>
        await Parameter(parameter).GetValueAsync(CancellationToken.None) ?? throw new InvalidOperationException($"{parameter} has no value.");

    /// <summary>Ids of the running replicas of a resource.</summary>
    public IReadOnlyList<string> Replicas(string resource) =>
        [.. Instances(resource).Where(static e => e.Snapshot.State?.Text == KnownResourceStates.Running).Select(static e => e.ResourceId)];

    /// <summary>The operating system's id of a replica's process; null while it has none.</summary>
    public string? ProcessId(string replica) => _latest.TryGetValue(replica, out var update)
        ? update.Snapshot.Properties.FirstOrDefault(static p => p.Name == "executable.pid")?.Value?.ToString()
        : null;

    /// <summary>Runs a command of the dashboard on a resource or one of its replicas.</summary>
    public async Task CommandAsync(string resourceOrReplica, string command)
    {
        var result = await App.ResourceCommands.ExecuteCommandAsync(resourceOrReplica, command, TestContext.Current.CancellationToken);
        Assert.True(result.Success, $"{command} on {resourceOrReplica}: {result.Message}");
    }

    /// <summary>Waits until as many replicas as given are running and healthy.</summary>
    public Task UntilHealthyAsync(string resource, int replicas) => Eventually.TrueAsync(
        () => Instances(resource).Count(static e => e.Snapshot is { State.Text: "Running", HealthStatus: Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy }) == replicas,
        TimeSpan.FromSeconds(60));

    /// <summary>Waits until no instance of a resource runs.</summary>
    public Task UntilStoppedAsync(string resource) => Eventually.TrueAsync(() => Replicas(resource).Count == 0, TimeSpan.FromSeconds(30));

    /// <summary>A new partner with one application and its key, and, when <paramref name="limits"/> are given, a subscription to orders v1.</summary>
    public async Task<Partner> AddPartnerAsync(params (long Requests, int WindowSeconds)[]? limits)
    {
        var name = Guid.NewGuid().ToString("N")[..12];
        var organization = await CreateAsync("organizations", new { name });
        var application = await CreateAsync("applications", new { organizationId = Id(organization), name });
        var credential = await CreateAsync("credentials", new { applicationId = Id(application) });
        if (limits is not null)
        {
            var plan = await CreateAsync("plans", new
            {
                name = "p" + name,
                rateLimits = limits.Select(static l => new { requests = l.Requests, windowSeconds = l.WindowSeconds }),
            });
            await CreateAsync("subscriptions", new { applicationId = Id(application), versionId = await OrdersVersionAsync(), planId = Id(plan) });
        }

        var partner = new Partner(Id(application), credential.GetProperty("key").GetString()!);
        // The change reaches each gateway on its own. What is answered meanwhile is counted like any other call.
        var refusal = limits is null ? HttpStatusCode.Unauthorized : HttpStatusCode.Forbidden;
        var inARow = 0;
        await Eventually.TrueAsync(async () =>
        {
            using var answer = await CallAsync(partner);
            inARow = answer.StatusCode == HttpStatusCode.Unauthorized || answer.StatusCode == refusal ? 0 : inARow + 1;
            return inARow == 3;
        });
        return partner;
    }

    /// <summary>A call of a partner; what the backend answered is counted in <see cref="Partner.Answered"/>.</summary>
    public async Task<HttpResponseMessage> CallAsync(Partner partner)
    {
        var answer = await CallAsync(partner.Key);
        if (answer.IsSuccessStatusCode)
        {
            partner.CountAnswer();
        }

        return answer;
    }

    /// <summary><c>GET /orders/v1/orders</c> with a key, on a connection of its own.</summary>
    public Task<HttpResponseMessage> CallAsync(string? key) => SendAsync(HttpMethod.Get, "/orders/v1/orders?limit=1", key);

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? key)
    {
        using var request = new HttpRequestMessage(method, path);
        if (key is not null)
        {
            request.Headers.Add("X-Api-Key", key);
        }

        return await Gateway.SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>Units in Postgres for an application.</summary>
    public async Task<long> UsageAsync(Partner partner)
    {
        using var answer = await Admin.GetAsync($"/admin/v1/usage?application={partner.ApplicationId}", TestContext.Current.CancellationToken);
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>()).GetProperty("totalUnits").GetInt64();
    }

    private async Task<string> OrdersVersionAsync()
    {
        var apis = await Admin.GetFromJsonAsync<JsonElement>("/admin/v1/apis", TestContext.Current.CancellationToken);
        return apis.GetProperty("items").EnumerateArray().Single(static a => a.GetProperty("name").GetString() == "orders")
            .GetProperty("versions")[0].GetProperty("id").GetString()!;
    }

    private async Task<JsonElement> CreateAsync(string collection, object body)
    {
        using var answer = await Admin.PostAsJsonAsync($"/admin/v1/{collection}", body, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, $"{collection}: {(int)answer.StatusCode} {text}");
        return JsonSerializer.Deserialize<JsonElement>(text);
    }

    private static string Id(JsonElement resource) => resource.GetProperty("id").GetString()!;

    private ParameterResource Parameter(string name) =>
        App.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<ParameterResource>().Single(p => p.Name == name);

    private IReadOnlyList<ResourceEvent> Instances(string resource) => [.. _latest.Values.Where(e => e.Resource.Name == resource)];

    /// <summary>State and last console lines of every resource, for the message of a failed start.</summary>
    private async Task<string> DescribeAsync()
    {
        var text = new StringBuilder();
        foreach (var (id, update) in _latest.OrderBy(static e => e.Key, StringComparer.Ordinal))
        {
            text.AppendLine($"{id}: {update.Snapshot.State?.Text}, {update.Snapshot.HealthStatus?.ToString() ?? "no health"}");
            var lines = new List<string>();
            await foreach (var batch in App.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(id))
            {
                lines.AddRange(batch.Select(static line => line.Content));
            }

            lines.TakeLast(10).ToList().ForEach(line => text.AppendLine($"    {line}"));
        }

        return text.ToString();
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var update in App.ResourceNotifications.WatchAsync(cancellationToken))
            {
                _latest[update.ResourceId] = update;
            }
        }
        catch (OperationCanceledException)
        {
            // The fixture ends.
        }
    }
}

/// <summary>A calling application, its key, and how many of its calls the backend answered.</summary>
public sealed class Partner(string applicationId, string key)
{
    private long _answered;

    public string ApplicationId { get; } = applicationId;

    public string Key { get; } = key;

    public long Answered => Interlocked.Read(ref _answered);

    public void CountAnswer() => Interlocked.Increment(ref _answered);
}

[CollectionDefinition(PlatformFixture.Collection, DisableParallelization = true)]
public sealed class PlatformDefinition : ICollectionFixture<PlatformFixture>;
