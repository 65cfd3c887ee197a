using System.Runtime.InteropServices;
using Aspire.Hosting;
using Microsoft.Extensions.Configuration;
using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Hosting.Publishing;

/// <param name="Base">Given with <c>--image-base</c>; null: what the project says.</param>
/// <param name="Archives">Folder for archives; null: the container engine or the registry takes images.</param>
/// <param name="Architectures">Separated by commas; null: those of the project.</param>
/// <param name="Properties">Of MSBuild, from <c>Publishing:ImageProperties</c>.</param>
internal sealed record ImageSettings(string? Base, string? Archives, string? Architectures, string? Registry, IReadOnlyDictionary<string, string> Properties)
{
    internal static ImageSettings Read(IConfiguration configuration, bool push, string folder)
    {
        string? Given(string key) => configuration[$"Publishing:{key}"] is { Length: > 0 } value ? value : null;
        // An engine holds images of one architecture; a registry gives each node its own.
        var architectures = Given("ImageArchitectures") ?? (push ? null : RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant());
        return new(
            Given("ImageBase"),
            push || Given("ImageArchive") is not { } archive ? null : Path.GetFullPath(archive, folder),
            architectures,
            push ? Given("ImageRegistry")!.Split('/')[0] : null,
            configuration.GetSection("Publishing:ImageProperties").GetChildren().ToDictionary(p => p.Key, p => p.Value ?? ""));
    }
}

/// <summary>One image, made by the container support of the .NET SDK: no Dockerfile, and for a registry or an archive no container engine.</summary>
internal sealed class ImageBuild(string resource, ImageModel image, ImageSettings settings)
{
    /// <summary>For a machine that restores every package first, and compiles for two processors.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(20);

    /// <returns>The image that exists now.</returns>
    /// <exception cref="DistributedApplicationException">It does not, and why.</exception>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        var archive = settings.Archives is { } folder ? Path.Combine(folder, $"{resource.ToLowerInvariant()}.tar") : null;
        var (exitCode, output, error) = await Tool.RunAsync(BuiltProjects.Dotnet, Arguments(archive), Limit, cancellationToken, Path.GetDirectoryName(image.Project), new Dictionary<string, string>
        {
            ["DOTNET_CLI_UI_LANGUAGE"] = "en", // its errors are read below
            ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0",
            ["MSBUILDDISABLENODEREUSE"] = "1", // nothing is left running
        });
        return exitCode == 0 ? archive is null ? image.Reference : $"{archive} ({image.Reference})" : throw new DistributedApplicationException(Explain(output + error));
    }

    private IEnumerable<string> Arguments(string? archive)
    {
        var registry = settings.Registry;
        Dictionary<string, string?> properties = new()
        {
            ["ContainerRepository"] = registry is null ? image.Repository : image.Repository[(registry.Length + 1)..],
            ["ContainerImageTag"] = image.Tag,
            ["ContainerRegistry"] = registry,
            ["ContainerArchiveOutputPath"] = archive,
            ["ContainerBaseImage"] = settings.Base,
            ["ContainerArchitectures"] = settings.Architectures?.Replace(",", ";", StringComparison.Ordinal),
            ["ContinuousIntegrationBuild"] = "true", // paths of this machine are in no file
        };
        foreach (var (name, value) in settings.Properties)
        {
            properties[name] = value;
        }

        return ["publish", image.Project!, "--configuration", "Release", "-t:PublishContainer", "-nologo", "-verbosity:minimal", "-nodeReuse:false",
            .. properties.Where(p => p.Value is not null).Select(p => $"-property:{p.Key}={p.Value!.Replace("%", "%25", StringComparison.Ordinal).Replace(";", "%3B", StringComparison.Ordinal)}")];
    }

    /// <summary>What went wrong in a line or two, and the way out where there is one.</summary>
    private string Explain(string output)
    {
        string[] errors = [.. output.Split('\n').Where(static l => l.Contains("error ", StringComparison.Ordinal)).Select(Reason).Where(static r => !IsStack(r)).Distinct().Take(3)];
        var reason = errors.Length > 0 ? string.Join(' ', errors) : string.Join(' ', output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).TakeLast(3));
        return $"The image of '{resource}' was not made. {reason}{WayOut(output)}";
    }

    /// <summary>Without the file that the error comes from, its number where the task just fell over, and the project it is about.</summary>
    private static string Reason(string line)
    {
        var text = line[(line.IndexOf("error ", StringComparison.Ordinal) + 6)..].Trim();
        text = text.LastIndexOf(" [", StringComparison.Ordinal) is > 0 and var end ? text[..end] : text;
        return text.Replace("MSB4018:", "", StringComparison.Ordinal).TrimStart(':', ' ').Trim();
    }

    private static bool IsStack(string reason) =>
        reason.Length == 0 || reason[0] == '-' || reason.StartsWith("at ", StringComparison.Ordinal) || reason.StartsWith("The \"CreateNewImage\" task failed", StringComparison.Ordinal);

    private string WayOut(string output)
    {
        bool Says(params string[] words) => words.Any(w => output.Contains(w, StringComparison.Ordinal));
        var target = settings.Registry is { } registry && Says($"({registry})", $"'{registry}'");
        return Says("CONTAINER1012", "docker/podman") ? "\nNo container engine takes it: start one, or push it (--step push --image-registry HOST), or write archives (--image-archive FOLDER)."
            : Says("App.Crossgen2", "App.Runtime.linux") && Says("NU1101", "NU1102", "NU1301") ? "\nThe packages that compile it ahead of time cannot be restored: leave that out with --Publishing:ImageProperties:PublishReadyToRun=false."
            : target && !Says("CONTAINER1011", "CONTAINER1015") ? $"\nThe registry '{settings.Registry}' does not take it: docker login {settings.Registry}, or name another with --image-registry."
            : Says("CreateNewImage", "CONTAINER") && Says("HttpRequestException", "CONTAINER1007", "CONTAINER1008", "CONTAINER1011", "CONTAINER1014", "CONTAINER1015", "CONTAINER2009") ? "\nThe base image cannot be read: name one that can with --image-base, such as registry.example.com/dotnet/aspnet:10.0-noble-chiseled."
            : "";
    }
}
