using System.ComponentModel;

namespace OpenPlatform.Catalog.Usage;

/// <summary>Which usage is summed, and by what; absent members do not filter.</summary>
/// <param name="Status">One status, or a class of them such as <c>2xx</c>.</param>
/// <param name="From">Start of an hour, inclusive.</param>
/// <param name="To">Start of an hour, exclusive.</param>
/// <param name="GroupBy">Names of <see cref="UsageColumn"/>, separated by commas.</param>
public sealed record UsageFilter(
    [property: Description("Only of this organization.")] Guid? Organization,
    [property: Description("Only of this application.")] Guid? Application,
    [property: Description("Only under this subscription.")] Guid? Subscription,
    [property: Description("Only of this API, all its versions.")] Guid? Api,
    [property: Description("Only of this version.")] Guid? Version,
    [property: Description("Only of operations with this id.")] string? Operation,
    [property: Description("Only answers with this status, such as 404, or of this class, such as 4xx.")] string? Status,
    [property: Description("From this hour on.")] DateTimeOffset? From,
    [property: Description("Before this hour.")] DateTimeOffset? To,
    [property: Description("What is told apart, separated by commas: organization, application, subscription, api, version, operation, status, statusClass. Absent: application,version,operation,status.")] string? GroupBy,
    [property: Description("hour, day, month or total; hour when absent.")] string? Granularity);

/// <summary>Answers of the same kind in the same time. Members that nobody asked to tell apart are null.</summary>
/// <param name="Start">Start of the hour, day or month, UTC.</param>
/// <param name="OrganizationId">Null also when the application is not in the catalog; so is <paramref name="ApiId"/> for the version.</param>
/// <param name="Status">HTTP status of the answers.</param>
/// <param name="StatusClass"><c>2xx</c> and so on.</param>
public sealed record UsageSum(
    DateTimeOffset? Start, Guid? OrganizationId, Guid? ApplicationId, Guid? SubscriptionId, Guid? ApiId, Guid? VersionId, string? OperationId, int? Status,
    string? StatusClass, long Units);

/// <summary>Sums of usage.</summary>
/// <param name="TotalUnits">Over everything the filter lets through, on every page the same.</param>
/// <param name="Items">In the order of their members.</param>
public sealed record UsageSums(long TotalUnits, IReadOnlyList<UsageSum> Items);
