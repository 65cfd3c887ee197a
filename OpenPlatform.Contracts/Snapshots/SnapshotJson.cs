using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>The wire and disk form of a snapshot: camelCase JSON, hashes as base64. Unknown members are refused.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(Snapshot))]
public sealed partial class SnapshotJson : JsonSerializerContext;
