using System.Text.Json.Serialization;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting
{
    /// <summary>Where a project is; the generated <c>Projects.X</c> classes implement it.</summary>
    public interface IProjectMetadata : IResourceAnnotation
    {
        /// <summary>Full path of the project file.</summary>
        string ProjectPath { get; }
        LaunchSettings? LaunchSettings => null;
        bool SuppressBuild => false;
        bool IsFileBasedApp => false;
    }

    /// <summary>Properties/launchSettings.json.</summary>
    public sealed class LaunchSettings
    {
        [JsonPropertyName("profiles")]
        public Dictionary<string, LaunchProfile> Profiles { get; set; } = [];
    }

    public sealed class LaunchProfile
    {
        [JsonPropertyName("commandName")]
        public string? CommandName { get; set; }
        [JsonPropertyName("commandLineArgs")]
        public string? CommandLineArgs { get; set; }
        [JsonPropertyName("executablePath")]
        public string? ExecutablePath { get; set; }
        [JsonPropertyName("dotnetRunMessages")]
        public bool? DotnetRunMessages { get; set; }
        [JsonPropertyName("launchBrowser")]
        public bool? LaunchBrowser { get; set; }
        [JsonPropertyName("launchUrl")]
        public string? LaunchUrl { get; set; }
        [JsonPropertyName("applicationUrl")]
        public string? ApplicationUrl { get; set; }
        [JsonPropertyName("environmentVariables")]
        public Dictionary<string, string> EnvironmentVariables { get; set; } = [];
    }

    public class ProjectResourceOptions
    {
        public string? LaunchProfileName { get; set; }
        public bool ExcludeLaunchProfile { get; set; }
        public bool ExcludeKestrelEndpoints { get; set; }
    }
}

namespace OpenPlatform.Hosting
{
    /// <summary>Project metadata that also knows the built assembly, so that it is started directly.</summary>
    public interface IBuiltProjectMetadata : Aspire.Hosting.IProjectMetadata
    {
        /// <summary>Full path of the built assembly (.dll).</summary>
        string TargetPath { get; }
    }
}
