namespace OpenPlatform.Gateway.StandAlone;

/// <summary>What the command line asks for. Everything that is not listed in <see cref="Help"/> is a setting: <c>--OpenPlatform:… value</c>.</summary>
internal static class GatewayCommand
{
    public const string Help = """
        OpenPlatform gateway: authenticates, limits, balances, retries, meters and observes calls to APIs.

        Usage:
          OpenPlatform.Gateway [--setting value ...]           with a catalog: settings in docs/configuration.md
          OpenPlatform.Gateway --snapshot FILE [--setting ...] alone: serves a YAML or JSON file, reloads it when it changes
          OpenPlatform.Gateway --snapshot FILE --check         checks the file; exit code 0: can be served, 1: its problems are printed

        Options:
          --snapshot FILE   declarative file of APIs, backends, plans and applications (docs/snapshot-file.md)
          --urls ADDRESSES  where to listen, such as http://localhost:8080
          --help            this text
        """;

    /// <summary>The configuration key of <c>--snapshot</c>.</summary>
    public const string SnapshotKey = "snapshot";

    /// <summary>Answers <c>--help</c>, <c>--check</c> and a file that cannot be served; null when the gateway is to run.</summary>
    public static int? Answer(string[] args, TextWriter output)
    {
        if (args.Any(static a => a is "--help" or "-h" or "-?"))
        {
            output.WriteLine(Help);
            return 0;
        }

        var isCheck = args.Contains("--check");
        var path = new ConfigurationBuilder().AddCommandLine([.. args.Where(static a => a != "--check")]).Build()[SnapshotKey];
        if (string.IsNullOrEmpty(path) && (isCheck || args.Any(static a => a is "--snapshot" or "--snapshot=")))
        {
            output.WriteLine(isCheck ? "--check needs --snapshot FILE." : "--snapshot needs a FILE.");
            return 2;
        }

        if (path is null)
        {
            return null;
        }

        // Also before a start: who wrote the file wants its problems, before anything is warmed up, and not where in the gateway they were found.
        var (snapshot, problems) = new SnapshotFile(path, DeploymentSecrets.Any(), TimeProvider.System).Read();
        foreach (var problem in problems)
        {
            output.WriteLine(problem);
        }

        if (snapshot is not null && isCheck)
        {
            output.WriteLine($"{path} can be served: {snapshot.Apis.Count} API versions, {snapshot.Applications.Count} applications.");
        }

        return snapshot is null ? 1 : isCheck ? 0 : null;
    }
}
