using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Hosting.Orchestration;

namespace OpenPlatform.Tests.Hosting.LocalServers;

/// <summary>AddPostgres and AddRedis on the real orchestrator.</summary>
public sealed class ServersInAnApplicationTests(SharedPostgres shared)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_configured_connection_string_is_the_server_and_none_is_started()
    {
        var given = await shared.CreateDatabaseAsync();
        await using var running = await RunningApplication.StartAsync(builder =>
        {
            builder.Configuration.AddInMemoryCollection([new("ConnectionStrings:pg", given)]);
            builder.AddPostgres("pg", port: 5432).WithDataVolume().AddDatabase("given-db", "given db");
        });
        await running.States.WaitForResourceHealthyAsync("given-db", Stop).WaitAsync(s_patience, Stop);
        var model = running.App.Services.GetRequiredService<DistributedApplicationModel>();
        var database = model.Resources.OfType<PostgresDatabaseResource>().Single();
        Assert.DoesNotContain(model.Resources, resource => resource.IsContainer());
        Assert.Equal("given db", await DatabaseAsync(await database.ConnectionStringExpression.GetValueAsync(Stop)));

        var properties = ((IResourceWithConnectionString)database).GetConnectionProperties().ToDictionary(p => p.Key, p => p.Value);
        var expected = new NpgsqlConnectionStringBuilder(given);
        Assert.Equal($"{expected.Port}", await properties["Port"].GetValueAsync(Stop));
        Assert.Equal($"postgresql://{expected.Username}:unused@127.0.0.1:{expected.Port}/given%20db", await properties["Uri"].GetValueAsync(Stop));
    }

    [Fact]
    public async Task Local_servers_become_healthy_with_their_databases()
    {
        Assert.SkipWhen(Tool.Find("postgres") is null || Tool.Find("redis-server") is null, "postgres or redis-server is not on the PATH.");
        await using var running = await RunningApplication.StartAsync(builder =>
        {
            ((DistributedApplicationBuilder)builder).Options.TemporaryData = true;
            builder.Configuration.AddInMemoryCollection([new("LocalServers:Postgres", "path")]);
            builder.Configuration.AddInMemoryCollection([new("LocalServers:Redis", "redis-server")]);
            var password = builder.AddParameter("secret", "s3cret", secret: true);
            builder.AddPostgres("pg", password: password).AddDatabase("shop");
            builder.AddRedis("cache", port: null, password);
        });
        await running.States.WaitForResourceHealthyAsync("shop", Stop).WaitAsync(s_patience, Stop);
        await running.States.WaitForResourceHealthyAsync("cache", Stop).WaitAsync(s_patience, Stop);
        var shop = running.App.Services.GetRequiredService<DistributedApplicationModel>().Resources.OfType<PostgresDatabaseResource>().Single();
        Assert.Equal("shop", await DatabaseAsync(await shop.ConnectionStringExpression.GetValueAsync(Stop)));
    }

    [Fact]
    public void A_choice_that_does_not_exist_is_an_error_that_names_the_ones_that_do()
    {
        var error = Assert.Throws<DistributedApplicationException>(() => RunningApplication.Build(builder =>
        {
            builder.Configuration.AddInMemoryCollection([new("LocalServers:Redis", "memcached")]);
            builder.AddRedis("cache");
        }));
        Assert.Equal("LocalServers:Redis is 'memcached'; it can be redis-server, garnet or container.", error.Message);
    }

    private static async Task<object?> DatabaseAsync(string? connectionString)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync(Stop);
        await using var command = new NpgsqlCommand("SELECT current_database()", connection);
        return await command.ExecuteScalarAsync(Stop);
    }
}
