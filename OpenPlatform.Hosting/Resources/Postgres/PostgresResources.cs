using Npgsql;
using OpenPlatform.Hosting;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A PostgreSQL server.</summary>
/// <param name="name">Resource name.</param>
/// <param name="userName">Holds the superuser's name; null means <c>postgres</c>.</param>
/// <param name="password">Holds the superuser's password.</param>
public class PostgresServerResource(string name, ParameterResource? userName, ParameterResource password) : ContainerResource(name), IResourceWithConnectionString
{
    internal const string PrimaryEndpointName = "tcp";
    private const string DefaultUserName = "postgres";
    private readonly Dictionary<string, string> _databases = new(StringComparer.OrdinalIgnoreCase);

    public EndpointReference PrimaryEndpoint => field ??= new(this, PrimaryEndpointName);
    public EndpointReferenceExpression Host => PrimaryEndpoint.Property(EndpointProperty.Host);
    public EndpointReferenceExpression Port => PrimaryEndpoint.Property(EndpointProperty.Port);
    public ParameterResource? UserNameParameter { get; set; } = userName;
    public ParameterResource PasswordParameter { get; set; } = password ?? throw new ArgumentNullException(nameof(password));
    public ReferenceExpression UserNameReference => UserNameParameter is { } user ? ReferenceExpression.Create($"{user}") : ReferenceExpression.Create($"{DefaultUserName}");

    /// <summary><c>Host=…;Port=…;Username=…;Password=…</c>.</summary>
    public ReferenceExpression ConnectionStringExpression => this.TryGetLastAnnotation<ConnectionStringRedirectAnnotation>(out var redirect)
        ? redirect.Resource.ConnectionStringExpression
        : ReferenceExpression.Create($"Host={Host};Port={Port};Username={UserNameReference};Password={PasswordParameter}");

    public ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) => ConnectionStringExpression.GetValueAsync(cancellationToken);

    /// <summary><c>postgresql://user:password@host:port</c>.</summary>
    public ReferenceExpression UriExpression => BuildUri(databaseName: null);

    /// <summary><c>jdbc:postgresql://host:port</c>, without credentials.</summary>
    public ReferenceExpression JdbcConnectionString => BuildJdbc(databaseName: null);

    /// <summary>Resource name → database name.</summary>
    public IReadOnlyDictionary<string, string> Databases => _databases;

    internal void AddDatabase(string name, string databaseName) => _databases.TryAdd(name, databaseName);

    internal ReferenceExpression BuildUri(string? databaseName)
    {
        var uri = new ReferenceExpressionBuilder();
        uri.AppendLiteral("postgresql://");
        if (UserNameParameter is { } user)
        {
            uri.Append($"{user:uri}");
        }
        else
        {
            uri.AppendLiteral(DefaultUserName);
        }

        uri.Append($":{PasswordParameter:uri}@{Host}:{Port}");
        if (databaseName is not null)
        {
            uri.Append($"/{databaseName:uri}");
        }

        return uri.Build();
    }

    internal ReferenceExpression BuildJdbc(string? databaseName)
    {
        var url = new ReferenceExpressionBuilder();
        url.Append($"jdbc:postgresql://{Host}:{Port}");
        if (databaseName is not null)
        {
            url.Append($"/{databaseName:uri}");
        }

        return url.Build();
    }

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() => ConnectionProperties(databaseName: null);

    internal IEnumerable<KeyValuePair<string, ReferenceExpression>> ConnectionProperties(string? databaseName) => GivenServer.Of(this) is { } text
        ? PropertiesOf(new NpgsqlConnectionStringBuilder(text), databaseName)
        :
        [
            new("Host", ReferenceExpression.Create($"{Host}")),
            new("Port", ReferenceExpression.Create($"{Port}")),
            new("Username", UserNameReference),
            new("Password", ReferenceExpression.Create($"{PasswordParameter}")),
            new("Uri", BuildUri(databaseName)),
            new("JdbcConnectionString", BuildJdbc(databaseName)),
        ];

    private static Dictionary<string, ReferenceExpression> PropertiesOf(NpgsqlConnectionStringBuilder given, string? databaseName)
    {
        var path = databaseName is null ? "" : $"/{Uri.EscapeDataString(databaseName)}";
        var (user, password) = (given.Username ?? DefaultUserName, given.Password ?? "");
        return new Dictionary<string, string>
        {
            ["Host"] = given.Host ?? "",
            ["Port"] = $"{given.Port}",
            ["Username"] = user,
            ["Password"] = password,
            ["Uri"] = $"postgresql://{Uri.EscapeDataString(user)}:{Uri.EscapeDataString(password)}@{given.Host}:{given.Port}{path}",
            ["JdbcConnectionString"] = $"jdbc:postgresql://{given.Host}:{given.Port}{path}",
        }.ToDictionary(property => property.Key, property => GivenServer.Literal(property.Value));
    }
}

/// <summary>A database on a PostgreSQL server; created when the server is ready and does not have it.</summary>
public class PostgresDatabaseResource(string name, string databaseName, PostgresServerResource postgresParentResource)
    : Resource(name), IResourceWithParent<PostgresServerResource>, IResourceWithConnectionString
{
    public PostgresServerResource Parent { get; } = postgresParentResource ?? throw new ArgumentNullException(nameof(postgresParentResource));
    public string DatabaseName { get; } = string.IsNullOrEmpty(databaseName) ? throw new ArgumentException("A database needs a name.", nameof(databaseName)) : databaseName;

    /// <summary>The server's connection string and <c>;Database=…</c>.</summary>
    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"{Parent};{new System.Data.Common.DbConnectionStringBuilder { ["Database"] = DatabaseName }.ConnectionString}");

    public ReferenceExpression UriExpression => Parent.BuildUri(DatabaseName);
    public ReferenceExpression JdbcConnectionString => Parent.BuildJdbc(DatabaseName);

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
        Parent.ConnectionProperties(DatabaseName).Append(new("DatabaseName", ReferenceExpression.Create($"{DatabaseName}")));
}

/// <summary>The statement that creates a database, instead of a plain CREATE DATABASE.</summary>
internal sealed class PostgresCreateDatabaseScriptAnnotation(string script) : IResourceAnnotation
{
    public string Script { get; } = script;
}
