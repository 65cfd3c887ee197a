using System.Reflection;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>What the images of projects are called: by whoever builds them, and in every file that deploys them.</summary>
internal sealed class ProjectImages(IDistributedApplicationBuilder host)
{
    private const int CommitLength = 12;

    /// <summary>Version and commit of the AppHost: <c>0.1.0+94f529…</c>, or the version alone where no commit is known.</summary>
    private readonly string[] _version =
        (host.AppHostAssembly?.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0").Split('+', 2);

    public string Version => _version[0];

    /// <summary>That the AppHost was built from; null: not from a repository.</summary>
    public string? Commit => _version.Length > 1 && _version[1].Length >= CommitLength ? _version[1] : null;

    /// <summary>Given with <c>--image-tag</c>.</summary>
    public string? GivenTag => host.Configuration["Publishing:ImageTag"] is { Length: > 0 } given ? given : null;

    /// <summary>A commit's images have a name of their own; the version is there for people.</summary>
    public string Tag => GivenTag ?? (Commit is { } commit ? $"{Version}-{commit[..CommitLength]}" : Version);

    /// <summary>Such as <c>registry.example.com</c>; empty: none is named.</summary>
    public string Registry => (host.Configuration["Publishing:ImageRegistry"] ?? "").TrimEnd('/');

    public ImageModel Of(ProjectResource project) =>
        new($"{(Registry.Length > 0 ? Registry + "/" : "")}{ApplicationName()}/{project.Name.ToLowerInvariant()}", Tag, Project: project.GetProjectMetadata().ProjectPath);

    /// <summary>Lower-case letters, digits and hyphens.</summary>
    public string ApplicationName()
    {
        var name = host.Configuration["AppHost:DashboardApplicationName"] ?? "application";
        return string.Concat(name.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')).Trim('-');
    }
}
