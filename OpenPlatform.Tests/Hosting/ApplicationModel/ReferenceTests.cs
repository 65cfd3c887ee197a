using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

/// <summary>What WithReference and WithEnvironment put into the environment of a process.</summary>
public sealed class ReferenceTests
{
    [Fact]
    public async Task A_referenced_project_is_found_by_service_discovery_and_by_a_plain_variable()
    {
        using var project = Apps.Project();
        var builder = Apps.Running();
        var catalog = builder.AddProject("catalog", project.Path).WithHttpEndpoint(port: 8090).WithHttpsEndpoint().WithEndpoint(scheme: "tcp", name: "my-admin");
        var gateway = builder.AddExecutable("gateway", "gateway", ".").WithReference(catalog).WithReference(catalog, "1st-api");
        builder.Allocate();

        var environment = await builder.EnvironmentAsync(gateway.Resource);

        Assert.Equal("http://localhost:8090", environment["services__catalog__http__0"]);
        Assert.Equal("http://localhost:8090", environment["CATALOG_HTTP"]);
        Assert.Equal("https://localhost:50001", environment["services__catalog__https__0"]);
        Assert.Equal("tcp://localhost:50002", environment["services__catalog__my-admin__0"]);
        Assert.Equal("tcp://localhost:50002", environment["CATALOG_MY_ADMIN"]);
        Assert.Equal("http://localhost:8090", environment["services__1st-api__http__0"]);
        Assert.Equal("http://localhost:8090", environment["_1st_api_HTTP"]);
        Assert.Contains(gateway.Resource.Annotations.OfType<ResourceRelationshipAnnotation>(), r => r.Resource == catalog.Resource && r.Type == "Reference");
    }

    [Fact]
    public async Task A_reference_to_one_endpoint_brings_only_that_one()
    {
        using var project = Apps.Project();
        var builder = Apps.Running();
        var catalog = builder.AddProject("catalog", project.Path).WithHttpEndpoint().WithHttpsEndpoint();
        var other = builder.AddContainer("other", "image").WithReference(catalog.GetEndpoint("https"));
        builder.Allocate();
        catalog.Resource.GetEndpoint("https").EndpointAnnotation.AllAllocatedEndpoints.AddOrUpdateAllocatedEndpoint(
            KnownNetworkIdentifiers.DefaultAspireContainerNetwork, new(catalog.Resource.GetEndpoint("https").EndpointAnnotation, "host.docker.internal", 443));

        var environment = await builder.EnvironmentAsync(other.Resource);

        Assert.Equal(["CATALOG_HTTPS", "services__catalog__https__0"], environment.Keys);
        Assert.Equal("https://host.docker.internal:443", environment["CATALOG_HTTPS"]); // as seen from a container
    }

    [Fact]
    public async Task A_connection_string_comes_whole_and_in_parts()
    {
        var builder = Apps.Running();
        var server = builder.AddContainer("pg", "postgres").WithEndpoint(port: 5432, targetPort: 5432, name: "tcp");
        var password = builder.AddParameter("pw", "a+b", secret: true);
        var database = builder.AddResource(new FakeDatabase("catalog-db", server.GetEndpoint("tcp"), password.Resource));
        var consumer = builder.AddExecutable("consumer", "c", ".").WithReference(database).WithReference(database, connectionName: "main");
        builder.Allocate();

        var environment = await builder.EnvironmentAsync(consumer.Resource);

        Assert.Equal("Host=localhost;Port=5432;Password=a+b;Database=catalog-db", environment["ConnectionStrings__catalog-db"]);
        Assert.Equal("localhost", environment["CATALOG_DB_HOST"]);
        Assert.Equal("db://user:a%2Bb@localhost:5432/catalog-db", environment["CATALOG_DB_URI"]);
        Assert.Equal(environment["ConnectionStrings__catalog-db"], environment["ConnectionStrings__main"]);
        Assert.Equal("localhost", environment["MAIN_HOST"]);
    }

    [Fact]
    public async Task A_connection_string_nobody_gave_is_an_error_unless_it_is_optional()
    {
        var builder = Apps.Running();
        var connection = builder.AddConnectionString("legacy");
        var strict = builder.AddExecutable("strict", "c", ".").WithReference(connection);
        var relaxed = builder.AddExecutable("relaxed", "c", ".").WithReference(connection, optional: true);

        Assert.Null((await builder.EnvironmentAsync(relaxed.Resource))["ConnectionStrings__legacy"]);
        var error = await Assert.ThrowsAsync<MissingParameterValueException>(() => builder.EnvironmentAsync(strict.Resource));
        Assert.Contains("ConnectionStrings:legacy", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task External_services_and_fixed_addresses()
    {
        var builder = Apps.Running("--Parameters:mail-url=https://mail.example.com/");
        var weather = builder.AddExternalService("weather", "https://api.example.com/");
        var mail = builder.AddExternalService("mail", builder.AddParameter("mail-url"));
        var consumer = builder.AddExecutable("consumer", "c", ".").WithReference(weather).WithReference(mail).WithReference("pay", new Uri("https://pay.example.com/v1"));

        var environment = await builder.EnvironmentAsync(consumer.Resource);

        Assert.Equal("https://api.example.com/", environment["services__weather__https__0"]);
        Assert.Equal("https://api.example.com/", environment["WEATHER"]);
        Assert.Equal("https://mail.example.com/", environment["services__mail__https__0"]);
        Assert.Equal("https://pay.example.com/v1", environment["services__pay__default__0"]);
    }

    [Fact]
    public async Task Environment_and_arguments_take_every_kind_of_value()
    {
        var builder = Apps.Running();
        var api = builder.AddExecutable("api", "api", ".", "--verbose").WithHttpEndpoint(port: 81, name: "web", env: "PORT");
        var secret = builder.AddParameter("token", "t0ken", secret: true);
        builder.AddExecutable("tool", "tool", ".");
        api.WithEnvironment("PLAIN", "1").WithEnvironment("EMPTY", (string?)null).WithEnvironment("LAZY", () => "later").WithEnvironment("SECRET", secret)
            .WithEnvironment("SELF", api.GetEndpoint("web")).WithEnvironment("MIXED", $"{api.GetEndpoint("web")}/{secret}").WithEnvironment(context => context.EnvironmentVariables["PLAIN"] += "2")
            .WithArgs("--url", api.GetEndpoint("web"), secret);
        builder.Allocate();

        Assert.Equal(
            new() { ["PLAIN"] = "12", ["EMPTY"] = "", ["LAZY"] = "later", ["SECRET"] = "t0ken", ["SELF"] = "http://localhost:81", ["MIXED"] = "http://localhost:81/t0ken", ["PORT"] = "target-of-web" },
            await builder.EnvironmentAsync(api.Resource));
        Assert.Equal(["--verbose", "--url", "http://localhost:81", "t0ken"], await Apps.ArgsAsync(api.Resource));
    }
}
