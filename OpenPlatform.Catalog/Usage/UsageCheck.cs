using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Catalog.Usage;

/// <summary>Checks a batch that came over the wire. A gateway holds the service token, and can be wrong all the same.</summary>
internal static class UsageCheck
{
    public const int MaxItems = 10_000;

    /// <summary>Far above what a minute can hold, far below what would overflow a sum.</summary>
    public const long MaxUnits = 1_000_000_000;

    /// <summary>More problems than these say nothing new.</summary>
    private const int MaxErrors = 20;

    /// <summary>The 422, or null.</summary>
    public static CatalogProblem? Check(UsageBatch batch)
    {
        var errors = new List<ProblemError>();
        if (!IsText(batch.Gateway))
        {
            errors.Add(new("/gateway", "must be 1 to 128 characters, without control characters"));
        }

        if (batch.Epoch == Guid.Empty)
        {
            errors.Add(new("/epoch", "must not be empty"));
        }

        if (batch.Sequence < 1)
        {
            errors.Add(new("/sequence", "must be at least 1"));
        }

        if (batch.Items.Count > MaxItems)
        {
            errors.Add(new("/items", $"must be at most {MaxItems}; send more batches"));
            return CatalogProblem.Invalid(errors);
        }

        for (var i = 0; i < batch.Items.Count && errors.Count < MaxErrors; i++)
        {
            if (batch.Items[i] is { } item)
            {
                CheckItem(item, $"/items/{i}", errors);
            }
            else
            {
                errors.Add(new($"/items/{i}", "must not be null"));
            }
        }

        return errors.Count == 0 ? null : CatalogProblem.Invalid(errors);
    }

    private static void CheckItem(UsageUnits item, string at, List<ProblemError> errors)
    {
        if (item.Minute.UtcTicks % TimeSpan.TicksPerMinute != 0)
        {
            errors.Add(new(at + "/minute", "must be the start of a minute"));
        }

        // No stricter than what is published and what backends answer: one item that is refused would cost its whole batch.
        if (item.OperationId.Length is 0 or > 128 || item.OperationId.Contains('\0', StringComparison.Ordinal))
        {
            errors.Add(new(at + "/operationId", "must be 1 to 128 characters, without NUL"));
        }

        if (item.Status is < 100 or > 999)
        {
            errors.Add(new(at + "/status", "must be 100 to 999"));
        }

        if (item.Units is < 1 or > MaxUnits)
        {
            errors.Add(new(at + "/units", $"must be 1 to {MaxUnits}"));
        }
    }

    // Postgres cannot keep a NUL, and no other control character belongs into a name.
    private static bool IsText(string text) => text.Length is > 0 and <= 128 && !text.Any(char.IsControl);
}
