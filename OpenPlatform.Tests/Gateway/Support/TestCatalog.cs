using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Tests.Gateway.Support;

/// <summary>The catalog's internal API over real HTTP, without the catalog: it serves a given snapshot and keeps usage in memory.</summary>
internal sealed class TestCatalog : IAsyncDisposable
{
    public const string Token = "service-token-of-tests";

    private readonly WebApplication _app;
    private volatile byte[] _json = [];
    private volatile string _tag = "\"none\"";
    private int _fetches;
    private int _usedUnitsAsked;

    private TestCatalog(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    /// <summary>When set, usage is answered with 503.</summary>
    public bool RefusesUsage { get; set; }

    /// <summary>When set, nobody is told what was used: 503.</summary>
    public bool RefusesUsedUnits { get; set; }

    /// <summary>Questions for what was used.</summary>
    public int UsedUnitsAsked => Volatile.Read(ref _usedUnitsAsked);

    /// <summary>Batches by identity: posted twice, kept once.</summary>
    public ConcurrentDictionary<(string Gateway, Guid Epoch, long Sequence), UsageBatch> Batches { get; } = new();

    public int Fetches => Volatile.Read(ref _fetches);

    public IEnumerable<UsageUnits> Usage => Batches.Values.SelectMany(static b => b.Items);

    public long Units => Usage.Sum(static i => i.Units);

    public static async Task<TestCatalog> StartAsync(Snapshot? snapshot, int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var app = builder.Build();
        var catalog = new TestCatalog(app);
        if (snapshot is not null)
        {
            catalog.Publish(snapshot);
        }

        app.Use((context, next) => context.Request.Headers.Authorization == "Bearer " + Token && !context.Request.Headers.ContainsKey("Via")
            ? next(context)
            : Task.FromResult(context.Response.StatusCode = 404));
        app.MapGet(InternalApi.SnapshotPath, catalog.GetSnapshotAsync);
        app.MapPost(InternalApi.UsagePath, catalog.PostUsageAsync);
        app.MapPost(InternalApi.UsedUnitsPath, catalog.PostUsedUnitsAsync);
        await app.StartAsync();
        catalog.Address = new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single());
        return catalog;
    }

    public void Publish(Snapshot snapshot) => PublishRaw(JsonSerializer.SerializeToUtf8Bytes(snapshot, SnapshotJson.Default.Snapshot), snapshot.Revision.ToString());

    public void PublishRaw(byte[] json, string tag)
    {
        _json = json;
        _tag = $"\"{tag}\"";
    }

    public async Task KillAsync() => await _app.StopAsync(new CancellationToken(canceled: true));

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        await _app.DisposeAsync();
    }

    private Task GetSnapshotAsync(HttpContext context)
    {
        Interlocked.Increment(ref _fetches);
        if (_json.Length == 0)
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        }

        context.Response.Headers.ETag = _tag;
        if (context.Request.Headers.IfNoneMatch == _tag)
        {
            context.Response.StatusCode = 304;
            return Task.CompletedTask;
        }

        context.Response.ContentType = "application/json";
        return context.Response.Body.WriteAsync(_json).AsTask();
    }

    private async Task PostUsedUnitsAsync(HttpContext context)
    {
        Interlocked.Increment(ref _usedUnitsAsked);
        if (RefusesUsedUnits)
        {
            context.Response.StatusCode = 503;
            return;
        }

        var asked = (await JsonSerializer.DeserializeAsync(context.Request.Body, UsedUnitsJson.Default.UsedUnitsRequest))!;
        var units = asked.Windows.Select(window => Usage.Where(item => item.ApplicationId == window.ApplicationId && item.Minute >= window.From).Sum(static item => item.Units));
        await JsonSerializer.SerializeAsync(context.Response.Body, new UsedUnits([.. units]), UsedUnitsJson.Default.UsedUnits);
    }

    private async Task PostUsageAsync(HttpContext context)
    {
        var batch = (await JsonSerializer.DeserializeAsync(context.Request.Body, UsageJson.Default.UsageBatch))!;
        if (RefusesUsage)
        {
            context.Response.StatusCode = 503;
            return;
        }

        var accepted = Batches.TryAdd((batch.Gateway, batch.Epoch, batch.Sequence), batch);
        if (!accepted)
        {
            // A retry must post the same content.
            Assert.Equal(Batches[(batch.Gateway, batch.Epoch, batch.Sequence)].Items, batch.Items);
        }

        await JsonSerializer.SerializeAsync(context.Response.Body, new UsageReceipt(accepted), UsageJson.Default.UsageReceipt);
    }
}
