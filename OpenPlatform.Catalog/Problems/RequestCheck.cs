using System.Text.RegularExpressions;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Problems;

/// <summary>Collects everything that is wrong with a request, so that it is mended once and not ten times.</summary>
internal sealed partial class RequestCheck
{
    private readonly List<ProblemError> _errors = [];

    /// <summary>The 422, or null when nothing was wrong.</summary>
    public CatalogProblem? Problem => _errors.Count == 0 ? null : CatalogProblem.Invalid(_errors);

    public void Add(string pointer, string detail) => _errors.Add(new(pointer, detail));

    /// <summary>A URL-safe name, as gateways and URLs use it.</summary>
    public void Name(string pointer, string? value)
    {
        if (value is null)
        {
            Add(pointer, "is required");
        }
        else if (!UrlSafeName().IsMatch(value))
        {
            Add(pointer, "must be 1 to 63 lower-case letters, digits and inner hyphens");
        }
    }

    /// <summary>A name for people: 1 to 200 characters.</summary>
    public void DisplayName(string pointer, string? value)
    {
        if (value is null)
        {
            Add(pointer, "is required");
        }
        else if (value.Length is 0 or > 200 || value.Any(char.IsControl) || string.IsNullOrWhiteSpace(value))
        {
            Add(pointer, "must be 1 to 200 characters, not blank, without control characters");
        }
    }

    public void Id(string pointer, Guid? value)
    {
        if (value is null || value == Guid.Empty)
        {
            Add(pointer, "is required");
        }
    }

    /// <summary>Problems of <paramref name="snapshot"/>, a snapshot that holds nothing but what is checked.</summary>
    /// <param name="pointerOf">Turns a pointer into the snapshot into one into the request; null: not about this request.</param>
    public void Snapshot(Snapshot snapshot, Func<string, string?> pointerOf)
    {
        foreach (var problem in SnapshotValidator.Validate(snapshot))
        {
            if (pointerOf(problem.Pointer) is { } pointer)
            {
                Add(pointer, problem.Message);
            }
        }
    }

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex UrlSafeName();
}
