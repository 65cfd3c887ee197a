using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace OpenPlatform.ServiceDefaults.Deployment;

/// <summary>
/// In a container, configuration also from the files of <c>/run/secrets</c>, where Compose puts secrets: a file is a setting, named as its environment
/// variable would be (<c>ConnectionStrings__catalogdb</c>), and stands above it. Unlike variables, files are in no <c>docker inspect</c>.
/// </summary>
internal static class SecretFiles
{
    private const string Folder = "/run/secrets";

    public static void AddSecretFiles(this IHostApplicationBuilder builder)
    {
        // The images of .NET say so. Elsewhere that folder is somebody else's.
        if (builder.Configuration["DOTNET_RUNNING_IN_CONTAINER"] == "true" && Directory.Exists(Folder))
        {
            builder.Configuration.AddKeyPerFile(Folder, optional: true);
        }
    }
}
