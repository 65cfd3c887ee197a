using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>What <c>--help</c> prints: the commands, and the environments of this AppHost.</summary>
internal static class CommandHelp
{
    private static readonly string[] Switches = ["--help", "-h", "-?"];

    internal static bool IsAsked(IReadOnlyList<string> args) => args.Any(Switches.Contains);

    internal static string[] Without(IEnumerable<string> args) => [.. args.Where(a => !Switches.Contains(a))];

    internal static string Text(string application, DistributedApplicationModel model, IEnumerable<IPublishStep> steps)
    {
        var environments = model.Resources.OfType<IDeploymentTarget>().Select(e => $"{e.Name} ({e.Target})").ToArray();
        var options = model.Resources.OfType<IDeploymentTarget>().Select(e => e.Settings).OfType<TargetOptions>().SelectMany(s => s.Help).Distinct();
        return $"""
            {application}: runs the application here, or writes the files that deploy it.

              dotnet run --project <AppHost>                                     run everything on this machine
              dotnet run --project <AppHost> -- --operation publish --step publish --output-path DIR
                                                                                 write DIR/<environment> for each environment
              dotnet run --project <AppHost> -- --operation publish --step push --image-registry HOST --output-path DIR
                                                                                 build and push every image, and write the files that name them
              dotnet run --project <AppHost> -- --publisher manifest --output-path FILE.json
                                                                                 write the Aspire manifest, which azd reads
              aspire publish -o DIR                                              the same through the Aspire CLI

            Publishing:
              --step NAME               {string.Join(", ", steps.Select(s => s.Name).Distinct())}
              --output-path PATH        folder, or for the manifest a file that ends in .json
              --environment-name NAME   only this environment; here: {(environments.Length == 0 ? "none is added" : string.Join(", ", environments))}
              --image-registry HOST     in front of the images of projects, such as registry.example.com
              --image-tag TAG           of the images of projects; default: version and commit
              --image-base IMAGE        what they are built on, where the public base cannot be reached
              --image-archive DIR       step build writes DIR/<name>.tar in place of loading images into the container engine
              --image-architectures X   x64, arm64 or x64,arm64; default: this machine's (build), both (push)
              --Parameters:NAME=VALUE   value of a parameter; secrets are never written, the files say how to supply them
              {string.Join("\n  ", options)}
              --include-exception-details true
            Running:
              --dcp-cli-path PATH, --dcp-dashboard-path PATH, --dcp-container-runtime docker|podman
            """;
    }
}
