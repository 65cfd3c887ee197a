using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>
/// The long answer to a gateway: what it lacks, then every revision as it comes, with the shards that changed. A gateway that reads slowly
/// misses revisions in between, never the newest.
/// </summary>
internal sealed class ConfigStream(ConfigFeed feed, IHostApplicationLifetime lifetime, TimeProvider time)
{
    public const int MostHaveBytes = 8 << 20;

    /// <summary>Gateways give up on a catalog that is silent for three times as long.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);

    /// <summary>Shards that are held in memory at once while everything is sent.</summary>
    private const int ShardsAtOnce = 32;

    private const int MostUnsent = 64 << 10;

    public const string ContentType = "application/vnd.openplatform.config";

    public async Task ServeAsync(HttpContext context)
    {
        ConfigHave? have;
        try
        {
            have = await JsonSerializer.DeserializeAsync(context.Request.Body, ConfigJson.Default.ConfigHave, context.RequestAborted);
        }
        catch (JsonException exception)
        {
            throw new BadHttpRequestException("The body does not say what the gateway has.", exception);
        }

        if (have is null)
        {
            throw new BadHttpRequestException("The body does not say what the gateway has.");
        }

        context.Response.ContentType = ContentType;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            await FollowAsync(context.Response.BodyWriter, ShardHashes.Of(have.Shards), stop.Token);
        }
        catch (Exception exception) when (stop.IsCancellationRequested && exception is OperationCanceledException or IOException)
        {
            // The gateway left, or this replica leaves: it follows another one.
        }
    }

    private async Task FollowAsync(PipeWriter body, ShardHashes sent, CancellationToken stop)
    {
        SignedManifest? seen = null;
        var pace = new StepPace(time);
        while (true)
        {
            var next = feed.NextAsync(seen, stop);
            while (!next.IsCompleted)
            {
                using var beat = CancellationTokenSource.CreateLinkedTokenSource(stop);
                if (await Task.WhenAny(next, Task.Delay(Heartbeat, time, beat.Token)) != next)
                {
                    WriteLine(body, []);
                    await body.FlushAsync(stop);
                }

                await beat.CancelAsync();
            }

            seen = await next;
            await SendAsync(body, seen, sent, stop);
            sent = seen.Manifest.Shards;
            await Task.Delay(pace.AfterStep(), time, stop);
        }
    }

    /// <summary>A step that fits into <see cref="MostUnsent"/> leaves as one piece: each would wake every gateway.</summary>
    private async Task SendAsync(PipeWriter body, SignedManifest to, ShardHashes sent, CancellationToken stop)
    {
        var changed = to.Manifest.Shards.ChangedSince(sent);
        var delta = new ConfigDelta(to.Manifest.Revision, to.Manifest.CreatedAt, to.Signature, to.Manifest.Shards.RemovedSince(sent), changed.Count);
        WriteLine(body, JsonSerializer.SerializeToUtf8Bytes(delta, ConfigJson.Default.ConfigDelta));
        foreach (var part in changed.Chunk(ShardsAtOnce))
        {
            var contents = await feed.ReadAsync([.. part.Select(static shard => shard.Value)], stop);
            foreach (var (name, hash) in part)
            {
                // Gone means that a hundred revisions came meanwhile: the gateway starts over, and then lacks only the newest.
                var content = contents.GetValueOrDefault(hash) ?? throw new IOException($"The content of {name} in revision {to.Manifest.Revision} is not kept any more.");
                WriteLine(body, JsonSerializer.SerializeToUtf8Bytes(new(name, hash, content.Length), ConfigJson.Default.ShardHeader));
                body.Write(content);
                if (body.UnflushedBytes >= MostUnsent)
                {
                    await body.FlushAsync(stop);
                }
            }
        }

        await body.FlushAsync(stop);
    }

    private static void WriteLine(PipeWriter body, ReadOnlySpan<byte> json)
    {
        body.Write(json);
        body.Write("\n"u8);
    }
}
