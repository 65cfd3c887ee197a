namespace OpenPlatform.Catalog.Usage;

/// <summary>The last results of the reconciliation.</summary>
/// <param name="Complete">Of everything, once a day; null: not yet.</param>
/// <param name="Changed">Of the hours that changed, every few minutes; null: not yet.</param>
public sealed record UsageReconciliations(UsageReconciliation? Complete, UsageReconciliation? Changed);

/// <param name="Hours">How many hours were compared, item by item.</param>
/// <param name="UnitsOfBatches">Of all batches that are rolled up; null unless everything was compared.</param>
/// <param name="UnitsOfItems">Of the hours compared. Less than the hours hold where old items were dropped.</param>
/// <param name="UnitsOfHours">Of the hours compared; when everything was compared, of all there are.</param>
/// <param name="Differences">Empty: it adds up. At most 100.</param>
/// <param name="Repaired">True: the hours named were written anew from their items.</param>
public sealed record UsageReconciliation(
    DateTimeOffset FinishedAt, long Hours, long? UnitsOfBatches, long UnitsOfItems, long UnitsOfHours, IReadOnlyList<UsageDifference> Differences, bool Repaired);

/// <summary>Two sums that should be equal and are not.</summary>
/// <param name="Hour">Null: not of one hour.</param>
/// <param name="Batch">Null: not of one batch.</param>
/// <param name="What">Whose <paramref name="Units"/> and whose <paramref name="OtherUnits"/>, in this order.</param>
public sealed record UsageDifference(DateTimeOffset? Hour, Guid? Batch, long Units, long OtherUnits, string What);
