using Npgsql;

namespace OpenPlatform.Catalog.Storage;

internal static class DatabaseFaults
{
    /// <summary>True when <paramref name="exception"/> says that Postgres cannot be reached or is on its way down or up: trying again may help.</summary>
    public static bool IsAway(Exception exception) => exception switch
    {
        // 08: connection, 53: resources, 57P: shutdown, crash, starting up; 25006: a standby, during a failover (PostgreSQL, appendix A).
        PostgresException postgres => postgres.IsTransient || postgres.SqlState is ['0', '8', ..] or ['5', '3', ..] or ['5', '7', 'P', ..] or "25006",
        NpgsqlException or TimeoutException => true,
        _ => false,
    };
}
