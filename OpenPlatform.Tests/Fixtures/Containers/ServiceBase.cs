using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Fixtures.Containers;

/// <summary>What the images of services are built on, and the proxy in front of them, made from the programs of this machine.</summary>
internal static class ServiceBase
{
    public const string Edge = "haproxy:test";

    /// <returns>The name of the base, which the registry serves.</returns>
    public static async Task<string> PushAsync(ContainerEngine engine, ImageRegistry registry)
    {
        var name = $"{registry.Host}/dotnet/aspnet:10.0";
        var dotnet = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", ".."));
        await engine.RunAsync("sh", Path.Combine(Repository.Root, "OpenPlatform.Tests/Fixtures/Containers/build-service-base.sh"), dotnet, $"{Environment.Version}", name, Edge);
        await engine.RunAsync("docker", "push", "--quiet", name);
        return name;
    }
}
