using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace OpenPlatform.Tests.Hosting.Publishing.Azure;

/// <summary>What is written for Azure, in a folder, and the resources that the compiler makes of it.</summary>
internal sealed class AzureFolder : IDisposable
{
    private static readonly Dictionary<string, string> Given = new()
    {
        ["environmentName"] = "test",
        ["location"] = "westeurope",
        ["containerAppsEnvironmentName"] = "cae-test",
        ["identityId"] = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-test/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-test",
        ["registryServer"] = "crtest.azurecr.io",
        ["imageName"] = "crtest.azurecr.io/test:1",
        ["vaultUri"] = "https://kv-test.vault.azure.net/",
        ["proxyNetwork"] = "10.0.0.0/23",
    };

    // Compiling takes seconds.
    private static readonly ConcurrentDictionary<string, string> Known = new();

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("openplatform-azure-");

    private AzureFolder(Published published)
    {
        Published = published;
        foreach (var (path, text) in published.Files)
        {
            var file = PathOf(path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, text);
        }
    }

    public Published Published { get; }

    /// <summary>Files that are deployed by themselves; the others are parts of them.</summary>
    public IEnumerable<string> Roots => Published.Files.Keys.Where(static f => f.EndsWith(".parameters.json", StringComparison.Ordinal)).Select(static f => f.Replace(".parameters.json", ".bicep", StringComparison.Ordinal));

    /// <param name="application">"AppHost" or "shop".</param>
    public static async Task<AzureFolder> WriteAsync(string application)
    {
        if (application == "AppHost")
        {
            return new(await Published.AppHostAsync("azure"));
        }

        return new(await Shop.PublishAsync("azure"));
    }

    public string PathOf(string file) => Path.Combine(_folder.FullName, file);

    /// <summary>Everything that is published for an application, as if azd had deployed it.</summary>
    /// <param name="application">"AppHost" or "shop".</param>
    public static async Task<IReadOnlyList<JsonObject>> ResourcesAsync(string application)
    {
        if (!Known.TryGetValue(application, out var known))
        {
            using var folder = await WriteAsync(application);
            known = Known[application] = new JsonArray([.. await folder.ResourcesAsync()]).ToJsonString();
        }

        return [.. JsonNode.Parse(known)!.AsArray().Select(static r => r!.AsObject())];
    }

    private async Task<IReadOnlyList<JsonNode>> ResourcesAsync()
    {
        var all = new List<JsonNode>();
        foreach (var root in Roots)
        {
            var names = JsonNode.Parse(Published.Files[root.Replace(".bicep", ".parameters.json", StringComparison.Ordinal)])!["parameters"]!.AsObject().Select(static p => p.Key);
            all.AddRange((await BicepCompiler.SnapshotAsync(PathOf(root), names.Select(n => (n, Given.GetValueOrDefault(n, "given"))))).Select(static r => r.DeepClone()));
        }

        return all;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
