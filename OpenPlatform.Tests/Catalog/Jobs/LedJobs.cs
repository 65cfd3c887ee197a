using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Catalog.Jobs;

namespace OpenPlatform.Tests.Catalog.Jobs;

/// <summary>A catalog that does no leader-only work by itself: the test says when which job runs.</summary>
internal sealed class LedJobs(CatalogServer catalog) : IAsyncDisposable
{
    private const string Holder = "the test";

    private long _token;

    public CatalogServer Catalog => catalog;

    public static async Task<LedJobs> StartAsync(string connectionString, params (string Key, string? Value)[] settings)
    {
        var led = new LedJobs(new(connectionString, settings: [("OpenPlatform:Jobs:Enabled", "false"), .. settings]));
        await led.Catalog.ReadyAsync();
        await led.TakeAsync();
        return led;
    }

    /// <summary>Takes the lease away from whoever has it.</summary>
    public async Task<long> TakeAsync()
    {
        await using var connection = await Services<NpgsqlDataSource>().OpenConnectionAsync();
        await connection.ExecuteAsync("update job_leader set expires_at = '-infinity'");
        return _token = (await Services<Leadership>().TryTakeAsync(Holder, TimeSpan.FromHours(1), default))!.Value;
    }

    public Task<JobResult> RunAsync(string job) => RunAsync(Services<IEnumerable<IJob>>().Single(other => other.Name == job), _token);

    public Task<JobResult> RunAsync(IJob job, long token) => Services<JobRunner>().RunAsync(job, Holder, token, TestContext.Current.CancellationToken);

    public T Services<T>()
        where T : notnull => catalog.Services.GetRequiredService<T>();

    public async Task<T> SqlAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = await Services<NpgsqlDataSource>().OpenConnectionAsync();
        return (await connection.QuerySingleAsync<T>(sql, parameters))!;
    }

    public ValueTask DisposeAsync() => catalog.DisposeAsync();
}
