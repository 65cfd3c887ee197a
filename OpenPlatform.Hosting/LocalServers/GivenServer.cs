using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting;

/// <summary>
/// The first rule for every server: where the configuration has <c>ConnectionStrings:&lt;name&gt;</c>, that server is used and none is
/// started. The resource stays in the model, with its health and its databases.
/// </summary>
internal static class GivenServer
{
    /// <summary>The configured connection string of a server, or null. Published, the model describes a server of its own.</summary>
    internal static string? Find(IDistributedApplicationBuilder builder, string name) =>
        builder.ExecutionContext.IsRunMode && builder.Configuration[$"ConnectionStrings:{name}"] is { Length: > 0 } text ? text : null;

    /// <summary>The string a server was given, or null.</summary>
    internal static string? Of(IResource server) => server.Annotations.OfType<Annotation>().LastOrDefault()?.ConnectionString;

    internal static IResourceBuilder<T> AddGiven<T>(this IDistributedApplicationBuilder builder, T server, string connectionString) where T : IResourceWithConnectionString =>
        builder.AddResource(server)
            .WithAnnotation(new Annotation(connectionString))
            .WithAnnotation(new ConnectionStringRedirectAnnotation(new ConnectionStringResource(server.Name, Literal(connectionString))))
            .RunsElsewhere();

    /// <summary>Nothing is started for it: it runs as soon as the application does, and its health checks say the rest.</summary>
    internal static IResourceBuilder<T> RunsElsewhere<T>(this IResourceBuilder<T> builder) where T : IResourceWithConnectionString
    {
        builder.ApplicationBuilder.Eventing.Subscribe<InitializeResourceEvent>(builder.Resource, async (e, cancellationToken) =>
        {
            await e.Eventing.PublishAsync(new ConnectionStringAvailableEvent(e.Resource, e.Services), cancellationToken);
            await e.Eventing.PublishAsync(new BeforeResourceStartedEvent(e.Resource, e.Services), cancellationToken);
            await e.Notifications.PublishUpdateAsync(e.Resource, s => s with { State = KnownResourceStates.Running });
        });
        return builder;
    }

    internal static ReferenceExpression Literal(string text)
    {
        var expression = new ReferenceExpressionBuilder();
        expression.AppendLiteral(text);
        return expression.Build();
    }

    private sealed class Annotation(string connectionString) : IResourceAnnotation
    {
        public string ConnectionString => connectionString;
    }
}
