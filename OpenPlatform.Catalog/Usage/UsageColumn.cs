using System.Globalization;

namespace OpenPlatform.Catalog.Usage;

/// <summary>Something by which usage can be told apart. The set is closed, so their SQL can stand in a statement.</summary>
/// <param name="Name">As <c>groupBy</c> names it.</param>
/// <param name="Header">As the answer names it.</param>
/// <param name="Sql">Never null, so that rows can be compared with a cursor.</param>
internal sealed record UsageColumn(string Name, string Header, string Sql, Type Type)
{
    private const string Nobody = "'00000000-0000-0000-0000-000000000000'::uuid";

    public static readonly UsageColumn Version = new("version", "versionId", "version_id", typeof(Guid));
    public static readonly UsageColumn Api = new("api", "apiId", $"coalesce(api_id, {Nobody})", typeof(Guid));

    /// <summary>In the order of the answer.</summary>
    public static IReadOnlyList<UsageColumn> All { get; } =
    [
        new("organization", "organizationId", $"coalesce(organization_id, {Nobody})", typeof(Guid)),
        new("application", "applicationId", "application_id", typeof(Guid)),
        new("subscription", "subscriptionId", "subscription_id", typeof(Guid)),
        Api,
        Version,
        new("operation", "operationId", "operation_id", typeof(string)),
        new("statusClass", "statusClass", "(status / 100)::text || 'xx'", typeof(string)),
        new("status", "status", "status", typeof(short)),
    ];

    /// <summary>The column of the time, or null for <c>total</c>.</summary>
    public static bool TryTime(string granularity, out UsageColumn? column)
    {
        column = granularity switch
        {
            "hour" => new("start", "start", "hour", typeof(DateTime)),
            "day" or "month" => new("start", "start", $"date_trunc('{granularity}', hour, 'UTC')", typeof(DateTime)),
            _ => null,
        };
        return column is not null || granularity == "total";
    }

    /// <summary>The value that <see cref="ToText"/> wrote.</summary>
    /// <exception cref="FormatException">It did not.</exception>
    public object FromText(string text) => Type switch
    {
        _ when Type == typeof(Guid) => Guid.Parse(text),
        _ when Type == typeof(short) => short.Parse(text, CultureInfo.InvariantCulture),
        _ when Type == typeof(DateTime) => DateTime.ParseExact(text, "O", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind) is { Kind: DateTimeKind.Utc } time ? time : throw new FormatException(),
        _ => text.Contains('\0', StringComparison.Ordinal) ? throw new FormatException() : text,
    };

    public static string ToText(object value) => value is DateTime time ? time.ToString("O", CultureInfo.InvariantCulture) : Convert.ToString(value, CultureInfo.InvariantCulture)!;
}
