using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpenPlatform.Hosting;

namespace Aspire.Hosting;

public static class RedisBuilderExtensions
{
    // What Aspire 13.5 runs.
    private const string Registry = "docker.io";
    private const string Image = "library/redis";
    private const string Tag = "8.6";

    /// <inheritdoc cref="AddRedis(IDistributedApplicationBuilder, string, int?, IResourceBuilder{ParameterResource}?)"/>
    public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, string name, int? port) => builder.AddRedis(name, port, password: null);

    /// <summary>
    /// A Redis server: the one of <c>ConnectionStrings:&lt;name&gt;</c> where the configuration has it; otherwise a container where a container engine runs, otherwise a process (<c>redis-server</c> or Garnet; configuration
    /// <c>LocalServers:Redis</c> = <c>redis-server</c>, <c>garnet</c> or <c>container</c> chooses).
    /// </summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">Resource and connection string name.</param>
    /// <param name="port">Port on this machine; null: a free one.</param>
    /// <param name="password">Null: a random one, kept as parameter <c>&lt;name&gt;-password</c>. No commas: connection strings of StackExchange.Redis have no way to write one.</param>
    public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, string name, int? port = null, IResourceBuilder<ParameterResource>? password = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        var redis = new RedisResource(name, password?.Resource ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password", special: false));
        var check = $"{name}_check";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(check, _ => new RedisHealthCheck(redis.GetConnectionStringAsync), failureStatus: null, tags: null));
        if (GivenServer.Find(builder, name) is { } given)
        {
            return builder.AddGiven(redis, given).WithIconName("Database").WithHealthCheck(check);
        }

        return builder.AddResource(redis)
            .WithEndpoint(port: port, targetPort: 6379, name: RedisResource.PrimaryEndpointName, scheme: "redis")
            .WithImage(Image, Tag)
            .WithImageRegistry(Registry)
            .WithIconName("Database")
            .WithHealthCheck(check)
            .WithEntrypoint("/bin/sh")
            .WithEnvironment(context =>
            {
                if (redis.PasswordParameter is { } secret)
                {
                    context.EnvironmentVariables["REDIS_PASSWORD"] = secret;
                }
            })
            .WithArgs(context =>
            {
                // exec: the shell would not pass SIGTERM on, and every stop would take the engine's ten seconds before it kills.
                List<string> command = ["exec", "redis-server"];
                if (redis.PasswordParameter is not null)
                {
                    command.AddRange(["--requirepass", "$REDIS_PASSWORD"]);
                }

                if (redis.TryGetLastAnnotation<PersistenceAnnotation>(out var persistence))
                {
                    command.AddRange(["--save", $"{persistence.Interval.TotalSeconds:0}", $"{persistence.KeysChangedThreshold}"]);
                }

                // One line for the shell, which puts the password in: no manifest and no argument list of ours holds it.
                context.Args.Add("-c");
                context.Args.Add(string.Join(' ', command));
            })
            .WithLocalServer("Redis", ["redis-server", "garnet"], choice => new RedisLocalServer(redis, choice));
    }

    /// <summary>Keeps the data, as a named volume or as a kept folder; saves every minute in which something changed.</summary>
    public static IResourceBuilder<RedisResource> WithDataVolume(this IResourceBuilder<RedisResource> builder, string? name = null, bool isReadOnly = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.WithVolume(name ?? LocalServerExtensions.VolumeName(builder, "data"), "/data", isReadOnly);
        return isReadOnly ? builder : builder.WithPersistence();
    }

    /// <summary>Keeps the data in a folder of this machine.</summary>
    public static IResourceBuilder<RedisResource> WithDataBindMount(this IResourceBuilder<RedisResource> builder, string source, bool isReadOnly = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.WithBindMount(source, "/data", isReadOnly);
        return isReadOnly ? builder : builder.WithPersistence();
    }

    /// <param name="builder">The server.</param>
    /// <param name="interval">Between two snapshots; default 60 s. Garnet logs every write instead.</param>
    /// <param name="keysChangedThreshold">Fewer changes than this are not worth a snapshot.</param>
    public static IResourceBuilder<RedisResource> WithPersistence(this IResourceBuilder<RedisResource> builder, TimeSpan? interval = null, long keysChangedThreshold = 1)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithAnnotation(new PersistenceAnnotation(interval, keysChangedThreshold), ResourceAnnotationMutationBehavior.Replace);
    }

    /// <param name="builder">The server.</param>
    /// <param name="password">Null: everybody on this machine may come in.</param>
    public static IResourceBuilder<RedisResource> WithPassword(this IResourceBuilder<RedisResource> builder, IResourceBuilder<ParameterResource>? password)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Resource.PasswordParameter = password?.Resource;
        return builder;
    }

    /// <param name="builder">The server.</param>
    /// <param name="port">Null: a free one.</param>
    public static IResourceBuilder<RedisResource> WithHostPort(this IResourceBuilder<RedisResource> builder, int? port)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithEndpoint(RedisResource.PrimaryEndpointName, endpoint => endpoint.Port = port, createIfNotExists: false);
    }
}
