using System.Data;
using Dapper;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Npgsql;
using OpenPlatform.ServiceDefaults.Deployment;

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
        SqlMapper.AddTypeHandler(new ArrayHandler<Guid>());
        DefaultTypeMap.MatchNamesWithUnderscores = true;

        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(static provider => CreateDataSource(
            Required(provider.GetRequiredService<IConfiguration>()), ConnectionName, provider.GetRequiredService<ILoggerFactory>()));
        services.AddSingleton<ReadDatabase>();
        services.AddSingleton<StorageState>();
        services.AddSingleton<MigrationRunner>();
        services.AddHostedService<StorageStarter>();
        services.AddHealthChecks().AddCheck<StorageHealthCheck>("postgres", timeout: TimeSpan.FromSeconds(5));
        return services;
    }

    /// <summary>A data source on <paramref name="text"/>. When it names several hosts, the primary among them is used, also after it changed.</summary>
    public static NpgsqlDataSource CreateDataSource(string text, string name, ILoggerFactory loggers)
    {
        var connection = Parse(text, name);
        var given = new System.Data.Common.DbConnectionStringBuilder { ConnectionString = text }.Keys.Cast<string>()
            .Select(static key => key.Replace(" ", "", StringComparison.Ordinal)).ToHashSet(StringComparer.OrdinalIgnoreCase);
        // A frozen server must cost a caller seconds, not the drivers' 15 and 30.
        if (!given.Contains("Timeout"))
        {
            connection.Timeout = 5;
        }

        if (!given.Contains("CommandTimeout"))
        {
            connection.CommandTimeout = 10;
        }

        // Nothing is left behind in a session (settings are local to a transaction, who listens keeps its connection), so there is nothing to reset:
        // seven statements less each time a connection comes from the pool.
        if (!given.Contains("NoResetOnClose"))
        {
            connection.NoResetOnClose = true;
        }

        // Statements are prepared once they have come back a few times.
        if (!given.Contains("MaxAutoPrepare"))
        {
            connection.MaxAutoPrepare = 100;
        }

        var isOneOfSeveral = connection.Host?.Contains(',', StringComparison.Ordinal) == true;
        if (isOneOfSeveral && !given.Contains("HostRecheckSeconds"))
        {
            // After a failover the other host must be asked at once, not after ten seconds of believing the old news.
            connection.HostRecheckSeconds = 1;
        }

        // Said below, of all hosts together.
        connection.TargetSessionAttributes = null;
        var builder = new NpgsqlDataSourceBuilder(connection.ConnectionString) { Name = name }.UseLoggerFactory(loggers);
        return isOneOfSeveral
            ? builder.BuildMultiHost().WithTargetSession(name == ConnectionName ? TargetSessionAttributes.Primary : TargetSessionAttributes.PreferStandby)
            : builder.Build();
    }

    private static NpgsqlConnectionStringBuilder Parse(string text, string name)
    {
        try
        {
            return new(text);
        }
        catch (ArgumentException e)
        {
            throw new StartRefusedException($"ConnectionStrings:{name} cannot be read: {e.Message}", e); // which names the keyword, not the text
        }
    }

    private static string Required(IConfiguration configuration) => configuration.GetConnectionString(ConnectionName) is { } text && !string.IsNullOrWhiteSpace(text)
        ? text
        : throw new StartRefusedException(
            $"ConnectionStrings:{ConnectionName} is not set. Set it, for example as the environment variable ConnectionStrings__{ConnectionName}=Host=…;Database=…;Username=…;Password=….");

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
