using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Contracts.Usage;

/// <summary>
/// Counted answers on their way to the catalog. (<paramref name="Gateway"/>, <paramref name="Epoch"/>,
/// <paramref name="Sequence"/>) is its identity: the catalog inserts it once however often it is posted.
/// </summary>
/// <param name="Gateway">Instance id of the gateway that counted, 1 to 128 characters.</param>
/// <param name="Epoch">One life of that gateway's counters: a new one for each spool file.</param>
/// <param name="Sequence">Counts batches of the epoch from 1, without gaps.</param>
public sealed record UsageBatch(string Gateway, Guid Epoch, long Sequence, IReadOnlyList<UsageUnits> Items);

/// <summary>Answers of the same kind in the same minute.</summary>
/// <param name="Minute">Start of the minute in which they were served, UTC.</param>
/// <param name="Status">HTTP status of the answers, 100 to 599.</param>
/// <param name="Units">How many, at least 1.</param>
public sealed record UsageUnits(
    DateTimeOffset Minute, Guid SubscriptionId, Guid ApplicationId, Guid VersionId, string OperationId, int Status, long Units);

/// <summary>What the catalog says to a batch.</summary>
/// <param name="Accepted">False: it was there already, and nothing was counted again. Either way the gateway may forget it.</param>
public sealed record UsageReceipt(bool Accepted);

/// <summary>The wire form of usage: camelCase JSON.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(UsageBatch))]
[JsonSerializable(typeof(UsageReceipt))]
public sealed partial class UsageJson : JsonSerializerContext;
