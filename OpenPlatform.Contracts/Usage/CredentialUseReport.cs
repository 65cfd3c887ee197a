using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Contracts.Usage;

/// <summary>Which credentials a gateway saw. Told once a day for each; telling it again changes nothing.</summary>
/// <param name="Day">The day, UTC.</param>
/// <param name="Credentials">1 to 10,000 ids.</param>
public sealed record CredentialUseReport(DateOnly Day, IReadOnlyList<Guid> Credentials);

/// <summary>The wire form of <see cref="CredentialUseReport"/>: camelCase JSON.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(CredentialUseReport))]
public sealed partial class CredentialUseJson : JsonSerializerContext;
