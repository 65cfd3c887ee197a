using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

public sealed class LaunchProfileTests
{
    private const string Settings = """
        {
          // comments and trailing commas are allowed, as everywhere in .NET
          "profiles": {
            "IIS": { "commandName": "IISExpress", "applicationUrl": "http://localhost:1" },
            "http": { "commandName": "Project", "applicationUrl": "http://localhost:5080", "environmentVariables": { "ASPNETCORE_ENVIRONMENT": "Development", "WHICH": "http" }, },
            "https": { "commandName": "Project", "applicationUrl": "https://localhost:7080;http://localhost:5080;http://+:5081", "launchUrl": "swagger",
                       "commandLineArgs": "--mode \"two words\"", "environmentVariables": { "WHICH": "https" } },
            "worker": { "commandName": "Project" }
          }
        }
        """;

    [Fact]
    public async Task Without_further_word_the_first_profile_that_runs_the_project_is_taken()
    {
        using var project = Apps.Project(Settings);
        var builder = Apps.Running();
        var api = builder.AddProject("api", project.Path);
        builder.Allocate();
        var environment = await builder.EnvironmentAsync(api.Resource);

        Assert.Equal("http", environment["WHICH"]);
        Assert.Equal("http", environment["DOTNET_LAUNCH_PROFILE"]);
        Assert.Equal("Development", environment["ASPNETCORE_ENVIRONMENT"]);
        Assert.Equal("http://localhost:target-of-http", environment["ASPNETCORE_URLS"]);
        var endpoint = Assert.Single(api.Resource.GetEndpoints());
        Assert.Equal(("http", 5080), (endpoint.EndpointName, endpoint.Port));
        Assert.Null(endpoint.TargetPort);
    }

    [Fact]
    public async Task The_AppHosts_own_profile_wins_over_the_first()
    {
        using var project = Apps.Project(Settings);
        var builder = Apps.Running("--DOTNET_LAUNCH_PROFILE=https");
        var api = builder.AddProject("api", project.Path);
        builder.Allocate();
        var environment = await builder.EnvironmentAsync(api.Resource);

        Assert.Equal("https", environment["WHICH"]);
        Assert.Equal("https://localhost:target-of-https;http://localhost:target-of-http;http://localhost:target-of-http2", environment["ASPNETCORE_URLS"]);
        Assert.Equal("7080", environment["ASPNETCORE_HTTPS_PORT"]);
        Assert.Equal(["--mode", "two words"], await Apps.ArgsAsync(api.Resource));
    }

    [Fact]
    public async Task An_explicit_profile_wins_over_both_and_explicit_settings_over_the_profiles()
    {
        using var project = Apps.Project(Settings);
        var builder = Apps.Running("--DOTNET_LAUNCH_PROFILE=https");
        var api = builder.AddProject("api", project.Path, "http").WithEnvironment("WHICH", "mine").WithHttpEndpoint(port: 8080).WithArgs("own");
        builder.Allocate();

        Assert.Equal("mine", (await builder.EnvironmentAsync(api.Resource))["WHICH"]);
        Assert.Equal(8080, Assert.Single(api.Resource.GetEndpoints()).Port);
        Assert.Equal(["own"], await Apps.ArgsAsync(api.Resource));
    }

    [Fact]
    public void A_profile_that_is_not_there_is_an_error_that_lists_those_that_are()
    {
        using var project = Apps.Project(Settings);
        var error = Assert.Throws<DistributedApplicationException>(() => Apps.Running().AddProject("api", project.Path, "htpp"));
        Assert.Contains("resource 'api' has no profile 'htpp'; it has: IIS, http, https, worker", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_profile_when_none_is_wanted()
    {
        using var project = Apps.Project(Settings);
        Assert.Empty(Apps.Running().AddProject("api", project.Path, launchProfileName: null).Resource.GetEndpoints());
        Assert.Empty(Apps.Running().AddProject("api", project.Path, o => o.ExcludeLaunchProfile = true).Resource.GetEndpoints());
    }

    [Fact]
    public void Launch_settings_that_are_not_valid_are_named()
    {
        using var project = Apps.Project("{ \"profiles\": ");
        var error = Assert.Throws<DistributedApplicationException>(() => Apps.Running().AddProject("api", project.Path));
        Assert.Contains("launchSettings.json' of resource 'api' is not valid", error.Message, StringComparison.Ordinal);
    }
}
