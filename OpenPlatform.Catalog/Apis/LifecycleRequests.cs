using System.ComponentModel.DataAnnotations;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Apis;

/// <param name="Revision">The draft; absent: the one there is.</param>
public sealed record PublishRequest(int? Revision = null);

/// <param name="Revision">A published revision that is to be in force again.</param>
public sealed record RollbackRequest([property: Required] int? Revision)
{
    internal CatalogProblem? Check() => Revision is null or < 1 ? CatalogProblem.Invalid(new ProblemError("/revision", "must be the number of a published revision")) : null;
}

/// <summary>What callers are told of a version's end. On a version that is deprecated already it replaces what was said.</summary>
/// <param name="DeprecatedAt">Absent: now.</param>
/// <param name="SunsetAt">From when it may no longer answer; not before it is deprecated.</param>
/// <param name="SuccessorId">Another version of the same API, published.</param>
/// <param name="Documentation">An absolute https URL.</param>
public sealed record DeprecateRequest(DateTimeOffset? DeprecatedAt = null, DateTimeOffset? SunsetAt = null, Guid? SuccessorId = null, string? Documentation = null)
{
    /// <param name="deprecatedAt">When it is deprecated unless the request says so.</param>
    internal CatalogProblem? Check(DateTimeOffset deprecatedAt)
    {
        var check = new RequestCheck();
        if (SunsetAt < (DeprecatedAt ?? deprecatedAt))
        {
            check.Add("/sunsetAt", "must not be before it is deprecated");
        }

        if (Documentation is not null && (Documentation.Length > 2048 || !Uri.TryCreate(Documentation, UriKind.Absolute, out var url) || url.Scheme != Uri.UriSchemeHttps))
        {
            check.Add("/documentation", "must be an absolute https URL of at most 2,048 characters");
        }

        return check.Problem;
    }
}

/// <param name="Reason">What callers read, 1 to 200 characters.</param>
/// <param name="Until">When it ends by itself, in the future; absent: when it is taken away.</param>
public sealed record BlockRequest([property: Required] string? Reason, DateTimeOffset? Until = null)
{
    internal CatalogProblem? Check(DateTimeOffset now)
    {
        var check = new RequestCheck();
        if (Reason is not { Length: > 0 and <= 200 } || Reason.Any(static c => char.IsControl(c) || char.IsSurrogate(c)))
        {
            check.Add("/reason", "must be 1 to 200 characters, none of them a control character");
        }

        if (Until <= now)
        {
            check.Add("/until", "must be in the future");
        }

        return check.Problem;
    }
}
