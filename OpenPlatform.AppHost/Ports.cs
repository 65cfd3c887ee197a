using System.Globalization;

namespace OpenPlatform.AppHost;

/// <summary>The fixed addresses of the default profile and the settings that change them (docs/configuration.md).</summary>
internal static class Ports
{
    /// <summary>Moves the dashboard: <c>OPENPLATFORM_DASHBOARD_PORT</c> becomes the argument that Aspire reads its address from.</summary>
    public static string[] WithDashboardPort(string[] args) => Read("OPENPLATFORM_DASHBOARD_PORT") is { } port
        ? [.. args, $"--ASPNETCORE_URLS=http://localhost:{port}"]
        : args;

    /// <summary>Moves the shared address of a project's http endpoint when <paramref name="environmentVariable"/> is set.</summary>
    public static IResourceBuilder<ProjectResource> WithPublicPort(this IResourceBuilder<ProjectResource> project, string environmentVariable) =>
        Read(environmentVariable) is { } port ? project.WithEndpoint("http", endpoint => endpoint.Port = port) : project;

    /// <summary>Local runs issue tokens in the name of the catalog's shared address; a deployment names its own, public and https.</summary>
    public static IResourceBuilder<ProjectResource> WithTokenIssuer(this IResourceBuilder<ProjectResource> catalog) =>
        catalog.ApplicationBuilder.ExecutionContext.IsRunMode ? catalog.WithEnvironment("OpenPlatform__Tokens__Issuer", catalog.GetEndpoint("http")) : catalog;

    private static int? Read(string environmentVariable) => Environment.GetEnvironmentVariable(environmentVariable) switch
    {
        null or "" => null,
        var text when int.TryParse(text, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= 65535 => port,
        var text => throw new DistributedApplicationException($"{environmentVariable} must be a port from 1 to 65535, not '{text}'."),
    };
}
