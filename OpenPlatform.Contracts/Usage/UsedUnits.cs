using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Contracts.Usage;

/// <summary>Asks what has been used in running quota windows.</summary>
/// <param name="Windows">1 to <see cref="MaxWindows"/>.</param>
public sealed record UsedUnitsRequest(IReadOnlyList<QuotaWindow> Windows)
{
    public const int MaxWindows = 1000;
}

/// <summary>What an application has used of a quota since the start of a window: its answers, each as many as its operation costs.</summary>
/// <param name="PlanId">Only under subscriptions that have this plan now; null: any.</param>
/// <param name="SubscriptionId">Only under this subscription; null: any.</param>
/// <param name="From">Start of the window, inclusive: the start of an hour, UTC.</param>
public sealed record QuotaWindow(Guid ApplicationId, Guid? PlanId, Guid? SubscriptionId, DateTimeOffset From);

/// <summary>The answer to a <see cref="UsedUnitsRequest"/>.</summary>
/// <param name="Units">One for each window asked for, in the same order: what the catalog has been told. Gateways may have served more.</param>
public sealed record UsedUnits(IReadOnlyList<long> Units);

/// <summary>The wire form of what was used: camelCase JSON.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(UsedUnitsRequest))]
[JsonSerializable(typeof(UsedUnits))]
public sealed partial class UsedUnitsJson : JsonSerializerContext;
