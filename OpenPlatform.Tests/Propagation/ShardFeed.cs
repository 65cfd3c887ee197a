using System.Net;
using System.Text.Json;
using System.Threading.Channels;
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
using OpenPlatform.Contracts.Snapshots.Shards;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Propagation;

/// <summary>A catalog that streams what a test tells it to, be it right or wrong.</summary>
internal sealed class ShardFeed : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Channel<byte[]> _steps = Channel.CreateUnbounded<byte[]>();
    private readonly SortedDictionary<string, byte[]> _shards = new(StringComparer.Ordinal);

    private CancellationTokenSource? _newest;

    private ShardFeed(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    /// <summary>What gateways said they have, one for each stream that was begun.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<ConfigHave> Begun { get; } = new();

    public System.Collections.Concurrent.ConcurrentQueue<ConfigAck> Acks { get; } = new();

    public static async Task<ShardFeed> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var feed = new ShardFeed(app);
        app.MapPost(InternalApi.ConfigPath, feed.StreamAsync);
        app.MapPost(InternalApi.AckPath, async (HttpContext context) =>
        {
            feed.Acks.Enqueue((await JsonSerializer.DeserializeAsync(context.Request.Body, ConfigJson.Default.ConfigAck))!);
            context.Response.StatusCode = 204;
        });
        await app.StartAsync();
        feed.Address = new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single());
        return feed;
    }

    /// <summary>The next revision: these shards, and those from before that are not <paramref name="removed"/>.</summary>
    /// <param name="damage">Changes the step after it was signed.</param>
    public void Publish(long revision, IEnumerable<KeyValuePair<string, Snapshot>> shards, string[]? removed = null, Func<byte[], byte[]>? damage = null, string token = TestCatalog.Token)
    {
        var changed = shards.ToDictionary(static shard => shard.Key, static shard => SnapshotShards.Serialize(shard.Value));
        foreach (var name in removed ?? [])
        {
            _shards.Remove(name);
        }

        foreach (var (name, content) in changed)
        {
            _shards[name] = content;
        }

        var step = Step(revision, changed, removed ?? [], _shards, token);
        _steps.Writer.TryWrite(damage?.Invoke(step) ?? step);
    }

    /// <summary>Ends the stream that is open now.</summary>
    public void Cut() => _steps.Writer.TryWrite([]);

    public static byte[] Step(long revision, Dictionary<string, byte[]> changed, string[] removed, IReadOnlyDictionary<string, byte[]> all, string token = TestCatalog.Token)
    {
        var manifest = new ConfigManifest(revision, DateTimeOffset.UnixEpoch, ShardHashes.Of(all.Select(static shard => KeyValuePair.Create(shard.Key, SnapshotShards.HashOf(shard.Value)))));
        using var step = new MemoryStream();
        Line(JsonSerializer.SerializeToUtf8Bytes(new(revision, manifest.CreatedAt, new ManifestSigner(token).Sign(manifest), removed, changed.Count), ConfigJson.Default.ConfigDelta));
        foreach (var (name, content) in changed)
        {
            Line(JsonSerializer.SerializeToUtf8Bytes(new(name, SnapshotShards.HashOf(content), content.Length), ConfigJson.Default.ShardHeader));
            step.Write(content);
        }

        return step.ToArray();

        void Line(byte[] json)
        {
            step.Write(json);
            step.WriteByte((byte)'\n');
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    private async Task StreamAsync(HttpContext context)
    {
        // What is published from now on is for this stream: the one before may not have noticed yet that nobody reads it.
        using var replaced = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        if (Interlocked.Exchange(ref _newest, replaced) is { } before)
        {
            try
            {
                await before.CancelAsync();
            }
            catch (ObjectDisposedException)
            {
                // It has ended by itself.
            }
        }

        Begun.Enqueue((await JsonSerializer.DeserializeAsync(context.Request.Body, ConfigJson.Default.ConfigHave))!);
        await context.Response.Body.FlushAsync();
        await foreach (var step in _steps.Reader.ReadAllAsync(replaced.Token))
        {
            if (step.Length == 0)
            {
                return;
            }

            await context.Response.Body.WriteAsync(step);
            await context.Response.Body.FlushAsync();
        }
    }
}
