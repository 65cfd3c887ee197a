using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using NpgsqlTypes;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>Something that happened.</summary>
/// <param name="Type"><c>openplatform.&lt;resource&gt;.&lt;what happened&gt;</c>, for example <c>openplatform.subscription.activated</c>.</param>
/// <param name="Subject">What it happened to, for example <c>subscriptions/&lt;id&gt;</c>, 1 to 256 characters. Events of one subject are delivered in order.</param>
/// <param name="Organization">Whose it is; null: nobody's in particular. A webhook of an organization hears of nothing else.</param>
/// <param name="Data">JSON, UTF-8. Leaves the platform: never a secret, nor a hash of one.</param>
internal sealed record OutboxEvent(string Type, string Subject, Guid? Organization, byte[] Data)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <inheritdoc cref="OutboxEvent(string, string, Guid?, byte[])"/>
    /// <param name="data">Written as the admin API writes it.</param>
    public static OutboxEvent Of(string type, string subject, Guid? organization, object data) =>
        new(type, subject, organization, JsonSerializer.SerializeToUtf8Bytes(data, data.GetType(), Json));
}

/// <summary>Writes events in the transaction of what caused them.</summary>
internal static class Outbox
{
    /// <param name="events">In the order in which they happened.</param>
    public static async Task WriteAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now, IReadOnlyList<OutboxEvent> events, CancellationToken cancellationToken)
    {
        if (events.Count == 0)
        {
            return;
        }

        await using var insert = new NpgsqlCommand(
            """
            insert into outbox (id, type, subject, organization_id, data, created_at)
            select e.id, e.type, e.subject, e.organization_id, e.data::json, $6
            from unnest($1, $2, $3, $4, $5) with ordinality e (id, type, subject, organization_id, data, n)
            order by e.n
            """, connection, transaction)
        {
            Parameters =
            {
                new() { Value = Column(events, _ => Guid.CreateVersion7(now)) },
                new() { Value = Column(events, static e => e.Type) },
                new() { Value = Column(events, static e => e.Subject) },
                new() { Value = Column(events, static e => e.Organization) },
                new() { Value = Column(events, static e => System.Text.Encoding.UTF8.GetString(e.Data)), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                new() { Value = now.UtcDateTime },
            },
        };
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    private static T[] Column<T>(IReadOnlyList<OutboxEvent> events, Func<OutboxEvent, T> member) => [.. events.Select(member)];
}
