using System.Data;
using Dapper;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;

namespace OpenPlatform.Catalog.Storage;

/// <summary>Postgres: one data source from <c>ConnectionStrings:catalogdb</c>, migrations at start, a health check.</summary>
internal static class StorageServices
{
    public const string ConnectionName = "catalogdb";

    public static IServiceCollection AddStorage(this IServiceCollection services)
    {
        SqlMapper.AddTypeHandler(new UtcHandler());
        SqlMapper.AddTypeHandler(new ArrayHandler<string>());
        SqlMapper.AddTypeHandler(new ArrayHandler<long>());
        SqlMapper.AddTypeHandler(new ArrayHandler<int>());
        DefaultTypeMap.MatchNamesWithUnderscores = true;

        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(static provider => CreateDataSource(
            provider.GetRequiredService<IConfiguration>(), provider.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<StorageState>();
        services.AddSingleton<MigrationRunner>();
        services.AddHostedService<StorageStarter>();
        services.AddHealthChecks().AddCheck<StorageHealthCheck>("postgres", timeout: TimeSpan.FromSeconds(5));
        return services;
    }

    private static NpgsqlDataSource CreateDataSource(IConfiguration configuration, ILoggerFactory loggers)
    {
        var text = configuration.GetConnectionString(ConnectionName);
        if (string.IsNullOrWhiteSpace(text))
        {
            throw new InvalidOperationException(
                $"ConnectionStrings:{ConnectionName} is not set. Set it, for example as the environment variable ConnectionStrings__{ConnectionName}=Host=…;Database=…;Username=…;Password=….");
        }

        var connection = new NpgsqlConnectionStringBuilder(text);
        // A frozen server must cost a caller seconds, not the drivers' 15 and 30.
        if (!connection.ContainsKey("Timeout"))
        {
            connection.Timeout = 5;
        }

        if (!connection.ContainsKey("Command Timeout"))
        {
            connection.CommandTimeout = 10;
        }

        return new NpgsqlDataSourceBuilder(connection.ConnectionString) { Name = ConnectionName }.UseLoggerFactory(loggers).Build();
    }

    // timestamptz comes as a DateTime of kind Utc; the domain speaks DateTimeOffset.
    private sealed class UtcHandler : SqlMapper.TypeHandler<DateTimeOffset>
    {
        public override DateTimeOffset Parse(object value) => new((DateTime)value, TimeSpan.Zero);

        public override void SetValue(IDbDataParameter parameter, DateTimeOffset value) => parameter.Value = value.UtcDateTime;
    }

    // Npgsql says Array of every array column; this tells Dapper which one fits a constructor.
    private sealed class ArrayHandler<T> : SqlMapper.TypeHandler<T[]>
    {
        public override T[] Parse(object value) => (T[])value;

        public override void SetValue(IDbDataParameter parameter, T[]? value) => parameter.Value = value;
    }
}
