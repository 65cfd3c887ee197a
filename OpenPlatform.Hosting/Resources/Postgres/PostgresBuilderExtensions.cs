using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Npgsql;
using OpenPlatform.Hosting;

namespace Aspire.Hosting;

public static partial class PostgresBuilderExtensions
{
    // What Aspire 13.5 runs.
    private const string Registry = "docker.io";
    private const string Image = "library/postgres";
    private const string Tag = "18.3";
    private const string MaintenanceDatabase = "postgres";

    /// <summary>
    /// A PostgreSQL server: the one of <c>ConnectionStrings:&lt;name&gt;</c> where the configuration has it; otherwise a container where a container engine runs, otherwise a process (from the PATH or an embedded build;
    /// configuration <c>LocalServers:Postgres</c> = <c>path</c>, <c>embedded</c> or <c>container</c> chooses).
    /// </summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">Resource and connection string name.</param>
    /// <param name="userName">Null: <c>postgres</c>.</param>
    /// <param name="password">Null: a random one, kept as parameter <c>&lt;name&gt;-password</c>.</param>
    /// <param name="port">Port on this machine; null: a free one.</param>
    public static IResourceBuilder<PostgresServerResource> AddPostgres(this IDistributedApplicationBuilder builder, string name,
        IResourceBuilder<ParameterResource>? userName = null, IResourceBuilder<ParameterResource>? password = null, int? port = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var server = new PostgresServerResource(name, userName?.Resource, password?.Resource ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password"));
        var check = $"{name}_check";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(check, _ => new PostgresHealthCheck(server.GetConnectionStringAsync, MaintenanceDatabase), failureStatus: null, tags: null));
        builder.Eventing.Subscribe<ResourceReadyEvent>(server, (ready, cancellationToken) => CreateDatabasesAsync(server, builder.Resources, ready.Services, cancellationToken));
        if (GivenServer.Find(builder, name) is { } given)
        {
            return builder.AddGiven(server, given).WithIconName("DatabaseMultiple").WithHealthCheck(check);
        }

        return builder.AddResource(server)
            .WithEndpoint(port: port, targetPort: 5432, name: PostgresServerResource.PrimaryEndpointName)
            .WithImage(Image, Tag)
            .WithImageRegistry(Registry)
            .WithIconName("DatabaseMultiple")
            .WithEnvironment("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256")
            .WithEnvironment("POSTGRES_INITDB_ARGS", "--auth-host=scram-sha-256 --auth-local=scram-sha-256")
            .WithEnvironment(context =>
            {
                context.EnvironmentVariables["POSTGRES_USER"] = server.UserNameReference;
                context.EnvironmentVariables["POSTGRES_PASSWORD"] = server.PasswordParameter;
            })
            .WithHealthCheck(check)
            .WithLocalServer("Postgres", ["path", "embedded"], choice => new PostgresLocalServer(server, choice, new NpmCache(UserFolders.Cache)));
    }

    /// <summary>A database of that name, created when the server is ready and does not have it.</summary>
    /// <param name="builder">The server.</param>
    /// <param name="name">Resource and connection string name.</param>
    /// <param name="databaseName">Null: like the resource.</param>
    public static IResourceBuilder<PostgresDatabaseResource> AddDatabase(this IResourceBuilder<PostgresServerResource> builder, string name, string? databaseName = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var database = new PostgresDatabaseResource(name, databaseName ?? name, builder.Resource);
        builder.Resource.AddDatabase(name, database.DatabaseName);
        var check = $"{name}_check";
        builder.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(check,
            _ => new PostgresHealthCheck(token => database.ConnectionStringExpression.GetValueAsync(token), database: null), failureStatus: null, tags: null));
        var added = builder.ApplicationBuilder.AddResource(database).WithIconName("Database").WithHealthCheck(check);
        return GivenServer.Of(builder.Resource) is null ? added : added.RunsElsewhere();
    }

    /// <summary>Runs this statement instead of a plain CREATE DATABASE.</summary>
    public static IResourceBuilder<PostgresDatabaseResource> WithCreationScript(this IResourceBuilder<PostgresDatabaseResource> builder, string script)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(script);
        return builder.WithAnnotation(new PostgresCreateDatabaseScriptAnnotation(script));
    }

    /// <summary>Keeps the data, as a named volume or as a kept folder.</summary>
    public static IResourceBuilder<PostgresServerResource> WithDataVolume(this IResourceBuilder<PostgresServerResource> builder, string? name = null, bool isReadOnly = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithVolume(name ?? LocalServerExtensions.VolumeName(builder, "data"), DataPath(builder.Resource), isReadOnly);
    }

    /// <summary>Keeps the data in a folder of this machine.</summary>
    public static IResourceBuilder<PostgresServerResource> WithDataBindMount(this IResourceBuilder<PostgresServerResource> builder, string source, bool isReadOnly = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithBindMount(source, DataPath(builder.Resource), isReadOnly);
    }

    public static IResourceBuilder<PostgresServerResource> WithPassword(this IResourceBuilder<PostgresServerResource> builder, IResourceBuilder<ParameterResource> password)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(password);
        builder.Resource.PasswordParameter = password.Resource;
        return builder;
    }

    public static IResourceBuilder<PostgresServerResource> WithUserName(this IResourceBuilder<PostgresServerResource> builder, IResourceBuilder<ParameterResource> userName)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(userName);
        builder.Resource.UserNameParameter = userName.Resource;
        return builder;
    }

    /// <param name="builder">The server.</param>
    /// <param name="port">Null: a free one.</param>
    public static IResourceBuilder<PostgresServerResource> WithHostPort(this IResourceBuilder<PostgresServerResource> builder, int? port)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithEndpoint(PostgresServerResource.PrimaryEndpointName, endpoint => endpoint.Port = port, createIfNotExists: false);
    }

    /// <summary>The image keeps its data one level higher since version 18.</summary>
    private static string DataPath(PostgresServerResource server)
    {
        var tag = server.Annotations.OfType<ContainerImageAnnotation>().LastOrDefault()?.Tag ?? Tag;
        return int.TryParse(tag.Split('.', '-')[0], out var major) && major < 18 ? "/var/lib/postgresql/data" : "/var/lib/postgresql";
    }

    private static async Task CreateDatabasesAsync(PostgresServerResource server, IResourceCollection resources, IServiceProvider services, CancellationToken cancellationToken)
    {
        var text = await server.GetConnectionStringAsync(cancellationToken)
            ?? throw new DistributedApplicationException($"The connection string of '{server.Name}' is not available.");
        var logger = services.GetRequiredService<ResourceLoggerService>().GetLogger(server);
        await using var connection = new NpgsqlConnection(PostgresHealthCheck.ForOneUse(text, MaintenanceDatabase));
        await connection.OpenAsync(cancellationToken);
        foreach (var database in resources.OfType<PostgresDatabaseResource>().Where(database => database.Parent == server))
        {
            var script = database.Annotations.OfType<PostgresCreateDatabaseScriptAnnotation>().LastOrDefault()?.Script;
            try
            {
                await using var create = new NpgsqlCommand(script ?? $"CREATE DATABASE {new NpgsqlCommandBuilder().QuoteIdentifier(database.DatabaseName)}", connection) { CommandTimeout = 60 };
                await create.ExecuteNonQueryAsync(cancellationToken);
                DatabaseCreated(logger, database.DatabaseName);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DuplicateDatabase)
            {
                // From an earlier run.
            }
            catch (NpgsqlException e)
            {
                // The database's own health check keeps showing that it is not there.
                DatabaseNotCreated(logger, e, database.DatabaseName);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Created database {DatabaseName}")]
    private static partial void DatabaseCreated(ILogger logger, string databaseName);

    [LoggerMessage(2, LogLevel.Error, "Could not create database {DatabaseName}")]
    private static partial void DatabaseNotCreated(ILogger logger, Exception exception, string databaseName);
}
