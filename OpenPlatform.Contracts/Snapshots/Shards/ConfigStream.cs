using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Contracts.Snapshots.Shards;

/// <summary>What a gateway says when it begins to follow.</summary>
/// <param name="Gateway">Who it is: its instance id.</param>
/// <param name="Shards">Name → SHA-256 of what it has; empty: everything is to be sent.</param>
public sealed record ConfigHave(string Gateway, IReadOnlyDictionary<string, string> Shards);

/// <summary>
/// One step of the stream: a line of this, then for each shard a line with its <see cref="ShardHeader"/> and its bytes. An empty line between
/// two steps only says that the catalog lives.
/// </summary>
/// <param name="Signature">Of the whole manifest of the revision: what the gateway had, without <paramref name="Removed"/>, with the shards that follow.</param>
/// <param name="Shards">How many follow.</param>
public sealed record ConfigDelta(long Revision, DateTimeOffset CreatedAt, ReadOnlyMemory<byte> Signature, IReadOnlyList<string> Removed, int Shards);

/// <summary>What the bytes are that follow this line.</summary>
/// <param name="Length">Bytes of the content.</param>
public sealed record ShardHeader(string Name, string Sha256, int Length);

/// <summary>What a gateway runs, said after each change and every few seconds.</summary>
/// <param name="Address">Where it is reached; null: it does not know.</param>
/// <param name="Revision">The newest revision that it has applied.</param>
/// <param name="LagMs">From when the catalog wrote that revision to when it was in force here, in ms, by two clocks; 0 when they disagree.</param>
/// <param name="Refused">Shards of that revision that it cannot run; it runs what it had under these names.</param>
public sealed record ConfigAck(string Gateway, string? Address, string? Zone, long Revision, long LagMs, IReadOnlyList<RefusedShard> Refused);

/// <summary>A shard that a gateway does not run, and why.</summary>
public sealed record RefusedShard(string Shard, string Reason);

/// <summary>JSON of the records above: one line each.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ConfigHave))]
[JsonSerializable(typeof(ConfigDelta))]
[JsonSerializable(typeof(ShardHeader))]
[JsonSerializable(typeof(ConfigAck))]
public sealed partial class ConfigJson : JsonSerializerContext;
