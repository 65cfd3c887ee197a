using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>Reads shards as <see cref="SnapshotJson"/> does, and gives way after each thing in them: a segment of partners takes a millisecond.</summary>
internal static class ShardJson
{
    private static readonly JsonTypeInfo<Snapshot> s_giving = (JsonTypeInfo<Snapshot>)new JsonSerializerOptions(SnapshotJson.Default.Options)
    {
        TypeInfoResolver = SnapshotJson.Default.WithAddedModifier(static type =>
        {
            if (type.Kind == JsonTypeInfoKind.Object)
            {
                type.OnDeserialized = static _ => BackgroundThread.GiveWay();
            }
        }),
    }.GetTypeInfo(typeof(Snapshot));

    /// <exception cref="JsonException">It is no shard.</exception>
    public static Snapshot Read(ReadOnlySpan<byte> content) => JsonSerializer.Deserialize(content, s_giving) ?? throw new JsonException("is null");
}
