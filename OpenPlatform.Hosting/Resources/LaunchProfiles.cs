using System.Text;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace OpenPlatform.Hosting;

/// <summary>The launch profile a project runs with.</summary>
internal sealed class LaunchProfileAnnotation(string name, LaunchProfile profile) : IResourceAnnotation
{
    internal string Name => name;
    internal LaunchProfile Profile => profile;
}

internal static class LaunchProfiles
{
    private static readonly JsonSerializerOptions Json = new() { ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, PropertyNameCaseInsensitive = true };

    /// <summary>The explicit profile; else the one the AppHost itself runs with, when the project has it; else the project's first one that runs the project.</summary>
    internal static (string Name, LaunchProfile Profile)? Choose(string resourceName, IProjectMetadata project, string? explicitName, IConfiguration configuration)
    {
        var settings = project.LaunchSettings ?? Read(project.ProjectPath, $"resource '{resourceName}'");
        if (explicitName is { Length: > 0 })
        {
            return settings is not null && settings.Profiles.TryGetValue(explicitName, out var wanted)
                ? (explicitName, wanted)
                : throw new DistributedApplicationException(
                    $"The launchSettings.json of resource '{resourceName}' has no profile '{explicitName}'; it has: {(settings is null or { Profiles.Count: 0 } ? "none" : string.Join(", ", settings.Profiles.Keys))}.");
        }
        if (settings is null)
        {
            return null;
        }
        var own = configuration["AppHost:DefaultLaunchProfileName"] ?? configuration["DOTNET_LAUNCH_PROFILE"];
        if (own is { Length: > 0 } && settings.Profiles.TryGetValue(own, out var same) && RunsProject(same))
        {
            return (own, same);
        }
        return settings.Profiles.Where(p => RunsProject(p.Value)).Select((string, LaunchProfile)? (p) => (p.Key, p.Value)).FirstOrDefault();
    }

    /// <returns>Null when the project has no launchSettings.json.</returns>
    internal static LaunchSettings? Read(string projectPath, string owner)
    {
        var path = Path.Join(Path.GetDirectoryName(projectPath), "Properties", "launchSettings.json");
        if (!File.Exists(path))
        {
            return null;
        }
        try
        {
            using var file = File.OpenRead(path);
            return JsonSerializer.Deserialize<LaunchSettings>(file, Json);
        }
        catch (JsonException error)
        {
            throw new DistributedApplicationException($"'{path}' of {owner} is not valid: {error.Message}", error);
        }
    }

    internal static bool RunsProject(LaunchProfile profile) => string.Equals(profile.CommandName, "Project", StringComparison.OrdinalIgnoreCase);

    /// <summary>Blanks separate arguments; double quotes keep them together; a backslash keeps a quote.</summary>
    internal static List<string> SplitArguments(string line)
    {
        var arguments = new List<string>();
        var current = new StringBuilder();
        var (quoted, any) = (false, false);
        for (var i = 0; i < line.Length; i++)
        {
            switch (line[i])
            {
                case '\\' when i + 1 < line.Length && line[i + 1] == '"':
                    current.Append(line[++i]);
                    break;
                case '"':
                    (quoted, any) = (!quoted, true);
                    break;
                case var blank when char.IsWhiteSpace(blank) && !quoted:
                    if (any || current.Length > 0)
                    {
                        arguments.Add(current.ToString());
                        current.Clear();
                        any = false;
                    }
                    break;
                case var other:
                    current.Append(other);
                    break;
            }
        }
        if (any || current.Length > 0)
        {
            arguments.Add(current.ToString());
        }
        return arguments;
    }
}
