using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace OpenPlatform.Catalog.Storage;

/// <summary>Healthy when the schema is up to date and Postgres answers.</summary>
internal sealed class StorageHealthCheck(NpgsqlDataSource database, StorageState state) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (!state.IsReady)
        {
            return new(context.Registration.FailureStatus, "the schema is not up to date yet", state.LastError);
        }

        try
        {
            await using var command = database.CreateCommand("select 1");
            await command.ExecuteScalarAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException or OperationCanceledException)
        {
            return new(context.Registration.FailureStatus, "Postgres does not answer", exception);
        }
    }
}
