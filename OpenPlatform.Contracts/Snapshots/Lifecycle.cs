using System.Buffers;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>Where a version stands between its publication and its end. A draft is in no snapshot.</summary>
public static class LifecycleStates
{
    public const string Published = "published";

    /// <summary>Serves as before, and says on every answer that it will end.</summary>
    public const string Deprecated = "deprecated";

    /// <summary>Answers 410 wherever it answered before.</summary>
    public const string Retired = "retired";

    public static IReadOnlyList<string> All { get; } = [Published, Deprecated, Retired];
}

/// <summary>Where an API version stands, and what its callers are told of it.</summary>
/// <param name="State">One of <see cref="LifecycleStates"/>.</param>
/// <param name="DeprecatedAt">Since when it is, or from when it will be deprecated, UTC (<c>Deprecation</c>, RFC 9745).</param>
/// <param name="SunsetAt">From when it may no longer answer, UTC (<c>Sunset</c>, RFC 8594). Only an announcement: what ends it is <see cref="LifecycleStates.Retired"/>.</param>
/// <param name="Successor">What to use in its place: the base path of another version (<c>/orders/v2</c>), or an absolute https URL.</param>
/// <param name="Documentation">Where the deprecation is explained: an absolute https URL.</param>
public sealed record LifecycleModel(
    string State, DateTimeOffset? DeprecatedAt = null, DateTimeOffset? SunsetAt = null, string? Successor = null, string? Documentation = null);

/// <summary>Takes a version off at once, in whatever state it is: every call is refused until the block ends or is taken away.</summary>
/// <param name="Reason">What callers read, 1 to 200 characters.</param>
/// <param name="Until">First instant at which it no longer holds, UTC; it ends by itself, without another snapshot. Null: until it is taken away.</param>
public sealed record BlockModel(string Reason, DateTimeOffset? Until = null);

internal static class LifecycleValidator
{
    private const int LongestReason = 200;
    private const int LongestLink = 2048;

    private static readonly SearchValues<char> NotInLinks = SearchValues.Create("<>\"\\^`{|}");

    public static void Validate(ApiModel api, string at, Action<string, string> problem)
    {
        if (api.Lifecycle is { } lifecycle)
        {
            Validate(lifecycle, $"{at}/lifecycle", problem);
            if (string.Equals(lifecycle.Successor, api.BasePath, StringComparison.OrdinalIgnoreCase))
            {
                problem($"{at}/lifecycle/successor", "must be another version");
            }
        }

        if (api.Blocked is { } block && (block.Reason.Length is 0 or > LongestReason || block.Reason.Any(static c => char.IsControl(c) || char.IsSurrogate(c))))
        {
            problem($"{at}/blocked/reason", $"must be 1 to {LongestReason} characters, none of them a control character");
        }
    }

    private static void Validate(LifecycleModel lifecycle, string at, Action<string, string> problem)
    {
        if (!LifecycleStates.All.Contains(lifecycle.State))
        {
            problem($"{at}/state", $"must be one of {string.Join(", ", LifecycleStates.All)}");
        }

        if (lifecycle.State == LifecycleStates.Published)
        {
            // What is never said to anybody must not look as if it were.
            foreach (var (given, member) in new[]
            {
                (lifecycle.DeprecatedAt is not null, "deprecatedAt"), (lifecycle.SunsetAt is not null, "sunsetAt"),
                (lifecycle.Successor is not null, "successor"), (lifecycle.Documentation is not null, "documentation"),
            })
            {
                if (given)
                {
                    problem($"{at}/{member}", "belongs to a version that is deprecated or retired");
                }
            }
        }

        if (lifecycle.State == LifecycleStates.Deprecated && lifecycle.DeprecatedAt is null)
        {
            problem($"{at}/deprecatedAt", "is needed when the version is deprecated");
        }

        if (lifecycle.SunsetAt < lifecycle.DeprecatedAt)
        {
            problem($"{at}/sunsetAt", "must not be before deprecatedAt (RFC 9745, 4)");
        }

        if (lifecycle.Successor is { } successor && !SnapshotValidator.IsBasePath(successor) && !IsLink(successor))
        {
            problem($"{at}/successor", "must be a base path such as /orders/v2, or an absolute https URL");
        }

        if (lifecycle.Documentation is { } documentation && !IsLink(documentation))
        {
            problem($"{at}/documentation", "must be an absolute https URL");
        }
    }

    /// <summary>Goes between the angle brackets of a <c>Link</c> field as it is (RFC 8288, 3).</summary>
    private static bool IsLink(string text) =>
        text.Length <= LongestLink && !text.AsSpan().ContainsAnyExceptInRange('!', '~') && !text.AsSpan().ContainsAny(NotInLinks)
        && Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps && uri.Host.Length > 0 && uri.UserInfo.Length == 0;
}
