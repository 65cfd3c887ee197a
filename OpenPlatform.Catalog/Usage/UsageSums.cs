using System.ComponentModel;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;

namespace OpenPlatform.Catalog.Usage;

/// <summary>Which usage is summed; absent members do not filter.</summary>
/// <param name="Application">Id of an application.</param>
/// <param name="Api">Id of an API: all its versions.</param>
/// <param name="From">First minute, inclusive.</param>
/// <param name="To">First minute that does not count any more.</param>
public sealed record UsageFilter(
    [property: Description("Only of this application.")] Guid? Application,
    [property: Description("Only of this API, all its versions.")] Guid? Api,
    [property: Description("From this minute on.")] DateTimeOffset? From,
    [property: Description("Before this minute.")] DateTimeOffset? To);

/// <summary>Answers of the same kind in the same hour.</summary>
/// <param name="Hour">Start of the hour, UTC.</param>
/// <param name="ApiId">Null when the version is not in the catalog.</param>
/// <param name="Status">HTTP status of the answers.</param>
public sealed record UsageHour(DateTimeOffset Hour, Guid ApplicationId, Guid? ApiId, Guid VersionId, string OperationId, int Status, long Units)
{
    /// <summary>Where a page that starts after this row goes on.</summary>
    internal string ToCursor() => WebEncoders.Base64UrlEncode(Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"{Hour.UtcTicks}|{ApplicationId:N}|{VersionId:N}|{Status}|{OperationId}")));

    internal static UsageHour? FromCursorOrNull(string cursor)
    {
        try
        {
            return Encoding.UTF8.GetString(WebEncoders.Base64UrlDecode(cursor)).Split('|', 5) is [var ticks, var application, var version, var status, var operation]
                && !operation.Contains('\0', StringComparison.Ordinal)
                ? new(new(long.Parse(ticks, CultureInfo.InvariantCulture), TimeSpan.Zero), Guid.Parse(application), null, Guid.Parse(version), operation,
                    short.Parse(status, CultureInfo.InvariantCulture), 0)
                : null;
        }
        catch (Exception exception) when (exception is FormatException or OverflowException or ArgumentException)
        {
            return null;
        }
    }
}

/// <summary>Sums of usage.</summary>
/// <param name="TotalUnits">Over everything the filter lets through, on every page the same.</param>
/// <param name="Items">By hour, application, version, operation and status, in this order.</param>
public sealed record UsageSums(long TotalUnits, IReadOnlyList<UsageHour> Items);
