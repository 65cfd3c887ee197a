using System.Text.Json;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>
/// Reads the catalog's stream of shards. Nothing of it is believed before the signature of the manifest, to which it leads, and the hashes of the
/// contents were verified.
/// </summary>
/// <param name="known">What this gateway has.</param>
/// <param name="background">Where hashes and signature are verified: what comes from a socket goes on on the thread that reads the sockets of requests, too.</param>
/// <param name="verified">Told there of each revision, so that what follows needs no thread to be woken.</param>
internal sealed class ConfigReader(Stream stream, ShardHashes known, ManifestSigner signer, BackgroundThread background, Action<ConfigManifest, IReadOnlyList<ReceivedShard>>? verified = null)
{
    private const int LongestLine = 4 << 20;
    private const int LongestShard = 64 << 20;

    private ShardHashes _known = known;
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _begin;
    private int _end;

    /// <summary>The next revision and the shards that came with it; null: only a heartbeat.</summary>
    /// <exception cref="EndOfStreamException">The catalog ended the stream.</exception>
    /// <exception cref="InvalidDataException">What came is not what the signature is of, or no stream of shards.</exception>
    public async Task<(ConfigManifest Manifest, IReadOnlyList<ReceivedShard> Shards)?> ReadAsync(CancellationToken cancellationToken)
    {
        var line = await ReadLineAsync(cancellationToken);
        if (line.Length == 0)
        {
            return null;
        }

        try
        {
            var delta = JsonSerializer.Deserialize(line, ConfigJson.Default.ConfigDelta) ?? throw new InvalidDataException("A step of the stream is null.");
            var shards = new List<ReceivedShard>();
            for (var i = 0; i < delta.Shards; i++)
            {
                var header = JsonSerializer.Deserialize(await ReadLineAsync(cancellationToken), ConfigJson.Default.ShardHeader) ?? throw new InvalidDataException("A shard has no header.");
                if (header.Length is < 0 or > LongestShard)
                {
                    throw new InvalidDataException($"Shard {header.Name} cannot have {header.Length} bytes.");
                }

                shards.Add(new(header.Name, header.Sha256, await ReadBytesAsync(header.Length, cancellationToken)));
            }

            ConfigManifest? manifest = null;
            await background.RunAsync(() =>
            {
                manifest = Verified(delta, shards);
                verified?.Invoke(manifest, shards);
            });
            _known = manifest!.Shards;
            return (manifest, shards);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("What the catalog sends is no stream of shards: " + e.Message, e);
        }
    }

    /// <exception cref="InvalidDataException">It is not what the signature is of.</exception>
    private ConfigManifest Verified(ConfigDelta delta, List<ReceivedShard> shards)
    {
        var changes = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var name in delta.Removed)
        {
            changes[name] = null;
        }

        foreach (var shard in shards)
        {
            if (SnapshotShards.HashOf(shard.Content) != shard.Hash)
            {
                throw new InvalidDataException($"The content of shard {shard.Name} is not what its hash is of.");
            }

            changes[shard.Name] = shard.Hash;
            BackgroundThread.GiveWay();
        }

        var manifest = new ConfigManifest(delta.Revision, delta.CreatedAt, _known.With(changes));
        return signer.Verify(manifest, delta.Signature.Span, BackgroundThread.GiveWay)
            ? manifest
            : throw new InvalidDataException($"The signature of revision {delta.Revision} is not of this deployment's service token, or not of these shards.");
    }

    private async Task<byte[]> ReadLineAsync(CancellationToken cancellationToken)
    {
        var line = Array.Empty<byte>();
        while (true)
        {
            if (_begin == _end)
            {
                await FillAsync(cancellationToken);
            }

            var length = _buffer.AsSpan(_begin, _end - _begin).IndexOf((byte)'\n');
            var part = _buffer.AsSpan(_begin, length < 0 ? _end - _begin : length);
            line = line.Length == 0 ? part.ToArray() : [.. line, .. part];
            _begin += part.Length + (length < 0 ? 0 : 1);
            if (length >= 0)
            {
                return line;
            }

            if (line.Length > LongestLine)
            {
                throw new InvalidDataException($"A line of the stream has more than {LongestLine} bytes.");
            }
        }
    }

    private async Task<byte[]> ReadBytesAsync(int length, CancellationToken cancellationToken)
    {
        // Not all at once on the word of the other side: it grows with what really comes.
        var bytes = new byte[Math.Min(length, 1 << 20)];
        for (var read = 0; read < length;)
        {
            if (_begin == _end)
            {
                await FillAsync(cancellationToken);
            }

            var part = Math.Min(length - read, _end - _begin);
            if (read + part > bytes.Length)
            {
                Array.Resize(ref bytes, Math.Min(length, Math.Max(bytes.Length * 2, read + part)));
            }

            _buffer.AsSpan(_begin, part).CopyTo(bytes.AsSpan(read));
            (_begin, read) = (_begin + part, read + part);
        }

        return bytes;
    }

    private async Task FillAsync(CancellationToken cancellationToken)
    {
        (_begin, _end) = (0, await stream.ReadAsync(_buffer, cancellationToken));
        if (_end == 0)
        {
            throw new EndOfStreamException("The catalog ended the stream.");
        }
    }
}
