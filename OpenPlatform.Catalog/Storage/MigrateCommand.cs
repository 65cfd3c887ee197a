using Npgsql;

namespace OpenPlatform.Catalog.Storage;

/// <summary>
/// <c>--migrate</c>: brings the database to the newest migration and ends. A rollout runs it first, so that a migration that fails stops
/// the rollout and not the catalog. Whoever starts without it migrates all the same.
/// </summary>
internal static class MigrateCommand
{
    private const string Switch = "--migrate";
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public static bool IsAsked(string[] args) => args.Contains(Switch);

    /// <returns>The exit code: 0 when the schema is up to date, 1 when the database does not fit. One that is away is waited for.</returns>
    public static async Task<int> RunAsync(IServiceProvider services, TextWriter errors, CancellationToken cancellationToken = default)
    {
        var runner = services.GetRequiredService<MigrationRunner>();
        for (var told = false; ;)
        {
            try
            {
                await runner.RunAsync(Migrations.Embedded(), cancellationToken);
                return 0;
            }
            catch (Exception away) when (away is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
            {
                if (!told)
                {
                    await errors.WriteLineAsync($"Waiting for the database: {away.Message}");
                    told = true;
                }

                await Task.Delay(Pause, cancellationToken);
            }
            catch (MigrationException wrong)
            {
                await errors.WriteLineAsync(wrong.Message);
                return 1;
            }
        }
    }
}
