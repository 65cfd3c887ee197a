using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Npgsql;
using NpgsqlTypes;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Usage;

/// <summary>
/// A checked <see cref="UsageFilter"/> as SQL. Usage is the sums by hour and, beside them, the items of batches that are not rolled up yet: what a
/// gateway delivered counts at once, and the same before and after its roll-up.
/// </summary>
internal sealed class UsageQuery
{
    private readonly List<string> _conditions = [];
    private readonly List<NpgsqlParameter> _parameters = [];
    private string _minutes = "";

    private UsageQuery(IReadOnlyList<UsageColumn> columns) => Columns = columns;

    public IReadOnlyList<UsageColumn> Columns { get; }

    /// <summary>The query, or 400 with the parameters that are wrong.</summary>
    /// <param name="organization">The only organization that the caller may see; null: all.</param>
    public static Outcome<UsageQuery> Of(UsageFilter filter, Guid? organization)
    {
        var errors = new List<ProblemError>();
        if (!UsageColumn.TryTime(filter.Granularity ?? "hour", out var time))
        {
            errors.Add(new("?granularity", "must be hour, day, month or total"));
        }

        var query = new UsageQuery([.. time is null ? [] : new[] { time }, .. Grouped(filter.GroupBy ?? "application,version,operation,status", errors)]);
        if (organization is not null && filter.Organization is { } other && other != organization)
        {
            errors.Add(new("?organization", "is not yours"));
        }

        query.Where("organization_id", organization ?? filter.Organization, NpgsqlDbType.Uuid);
        query.Where("application_id", filter.Application, NpgsqlDbType.Uuid);
        query.Where("subscription_id", filter.Subscription, NpgsqlDbType.Uuid);
        query.Where("api_id", filter.Api, NpgsqlDbType.Uuid);
        query.Where("version_id", filter.Version, NpgsqlDbType.Uuid);
        query.Where("operation_id", filter.Operation?.Replace("\0", "", StringComparison.Ordinal), NpgsqlDbType.Text);
        query.WhereStatus(filter.Status, errors);
        query.WhereTime(filter.From, ">=", "?from", errors);
        query.WhereTime(filter.To, "<", "?to", errors);
        return errors.Count == 0 ? query : CatalogProblem.Malformed("The usage cannot be given.", errors);
    }

    public NpgsqlCommand Total(NpgsqlConnection connection) => Command(connection, $"select coalesce(sum(units), 0)::bigint from ({Source()}) u", []);

    /// <summary>Rows in the order of <see cref="Columns"/>, each with its units last.</summary>
    /// <param name="after">Values of <see cref="Columns"/> of the last row before; null: from the start.</param>
    /// <param name="fetch">Most rows; null: all.</param>
    public NpgsqlCommand Rows(NpgsqlConnection connection, object[]? after, int? fetch)
    {
        var names = string.Join(", ", Columns.Select(static (_, i) => $"c{i}"));
        var values = string.Join(", ", Columns.Select(static (column, i) => $"{column.Sql} as c{i}"));
        List<NpgsqlParameter> cursor = after is null ? [] : [.. after.Select(static (value, i) => new NpgsqlParameter($"a{i}", value))];
        var next = after is null || after.Length == 0 ? "" : $"where ({names}) > ({string.Join(", ", after.Select(static (_, i) => $"@a{i}"))})";
        // Hours before the cursor are on pages before.
        var (hours, minutes) = after is [DateTime, ..] ? ("hour >= @a0", " and i.minute >= @a0") : ("", "");
        var group = Columns.Count == 0 ? "" : $"group by {names}";
        var order = Columns.Count == 0 ? "" : $"order by {names}";
        return Command(connection,
            $"""
            select {(Columns.Count == 0 ? "" : names + ", ")}units
            from (select {(Columns.Count == 0 ? "" : names + ", ")}sum(units)::bigint as units
                  from (select {(Columns.Count == 0 ? "" : values + ", ")}units from ({Source(hours, minutes)}) u) v {group}) g
            {next} {order} {(fetch is null ? "" : "limit " + fetch.Value.ToString(CultureInfo.InvariantCulture))}
            """, cursor);
    }

    public string ToCursor(object[] row) => WebEncoders.Base64UrlEncode(JsonSerializer.SerializeToUtf8Bytes(row.Take(Columns.Count).Select(UsageColumn.ToText)));

    public object[]? FromCursorOrNull(string cursor)
    {
        try
        {
            return JsonSerializer.Deserialize<string?[]>(WebEncoders.Base64UrlDecode(cursor)) is { } texts && texts.Length == Columns.Count && Columns.Count > 0 && !texts.Contains(null)
                ? [.. texts.Select((text, i) => Columns[i].FromText(text!))]
                : null;
        }
        catch (Exception exception) when (exception is FormatException or OverflowException or ArgumentException or JsonException)
        {
            return null;
        }
    }

    private string Source(string hours = "", string minutes = "")
    {
        string[] all = hours.Length == 0 ? [.. _conditions] : [.. _conditions, hours];
        var where = all.Length == 0 ? "" : "where " + string.Join(" and ", all);
        return $"""
            select hour, organization_id, application_id, subscription_id, api_id, version_id, operation_id, status, units from usage_hours {where}
            union all
            select * from (
                select date_trunc('hour', i.minute, 'UTC') as hour, coalesce(a.organization_id, g.organization_id) as organization_id, i.application_id, i.subscription_id, v.api_id, i.version_id, i.operation_id, i.status, i.units
                from usage_batches b join usage_items i on i.batch_id = b.id
                left join applications a on a.id = i.application_id left join applications_gone g on g.id = i.application_id left join api_versions v on v.id = i.version_id
                where b.rolled_up_at is null{_minutes}{minutes}) pending {where}
            """;
    }

    private NpgsqlCommand Command(NpgsqlConnection connection, string sql, List<NpgsqlParameter> more)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var parameter in _parameters.Concat(more))
        {
            command.Parameters.Add(parameter.Clone());
        }

        return command;
    }

    private static IEnumerable<UsageColumn> Grouped(string names, List<ProblemError> errors)
    {
        string[] asked = names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (var unknown in asked.Where(static name => UsageColumn.All.All(column => column.Name != name)))
        {
            errors.Add(new("?groupBy", $"names no column: {unknown}; there are {string.Join(", ", UsageColumn.All.Select(static column => column.Name))}"));
        }

        // The API of a version is known with it.
        return UsageColumn.All.Where(column => asked.Contains(column.Name) || (column == UsageColumn.Api && asked.Contains(UsageColumn.Version.Name)));
    }

    private void Where(string column, object? value, NpgsqlDbType type, string comparison = "=")
    {
        if (value is not null)
        {
            var name = $"p{_parameters.Count}";
            _conditions.Add($"{column} {comparison} @{name}");
            _parameters.Add(new(name, type) { Value = value });
        }
    }

    private void WhereStatus(string? status, List<ProblemError> errors)
    {
        if (status is [>= '1' and <= '9', 'x' or 'X', 'x' or 'X'])
        {
            var first = (short)((status[0] - '0') * 100);
            Where("status", first, NpgsqlDbType.Smallint, ">=");
            Where("status", (short)(first + 100), NpgsqlDbType.Smallint, "<");
        }
        else if (short.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var exact) && exact is >= 100 and <= 999)
        {
            Where("status", exact, NpgsqlDbType.Smallint);
        }
        else if (status is not null)
        {
            errors.Add(new("?status", "must be 100 to 999, or 1xx to 9xx"));
        }
    }

    private void WhereTime(DateTimeOffset? time, string comparison, string pointer, List<ProblemError> errors)
    {
        if (time is not { } moment)
        {
            return;
        }

        if (moment.UtcTicks % TimeSpan.TicksPerHour != 0)
        {
            errors.Add(new(pointer, "must be the start of an hour"));
            return;
        }

        Where("hour", moment.UtcDateTime, NpgsqlDbType.TimestampTz, comparison);
        _minutes += $" and i.minute {comparison} @{_parameters[^1].ParameterName}";
    }
}
