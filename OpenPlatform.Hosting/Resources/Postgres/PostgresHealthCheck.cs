using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace OpenPlatform.Hosting;

/// <summary>Logs in and asks for one row.</summary>
/// <param name="connectionString">Of the server or of one database.</param>
/// <param name="database">For a string that names none: a server's; Npgsql would take one named like the user.</param>
internal sealed class PostgresHealthCheck(Func<CancellationToken, ValueTask<string?>> connectionString, string? database) : IHealthCheck
{
    private const int LimitSeconds = 5;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var text = await connectionString(cancellationToken) ?? throw new InvalidOperationException("There is no connection string yet.");
            await using var connection = new NpgsqlConnection(ForOneUse(text, database));
            await connection.OpenAsync(cancellationToken);
            await using var command = new NpgsqlCommand("SELECT 1", connection);
            await command.ExecuteScalarAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or TimeoutException or ArgumentException)
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
    }

    /// <summary>No pool: an idle pooled connection would be dead after a restart of the server, and would make it wait before.</summary>
    internal static string ForOneUse(string connectionString, string? database)
    {
        var builder = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, Timeout = LimitSeconds, CommandTimeout = LimitSeconds };
        builder.Database ??= database;
        return builder.ConnectionString;
    }
}
