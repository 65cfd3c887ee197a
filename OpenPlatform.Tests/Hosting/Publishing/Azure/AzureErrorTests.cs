using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;
using OpenPlatform.Tests.Hosting.ApplicationModel;

namespace OpenPlatform.Tests.Hosting.Publishing.Azure;

/// <summary>What Azure cannot take is said before anything is written, with what to do about it.</summary>
public sealed class AzureErrorTests
{
    [Fact]
    public Task A_name_that_is_too_long() => RefusedAsync("at most 32 characters", static shop => shop.Builder.AddContainer("a-name-that-is-too-long-for-container-apps", "nginx", "1.29"));

    [Fact]
    public Task A_name_that_a_file_of_the_deployment_has() => RefusedAsync("a file of the deployment has that name", static shop => shop.Builder.AddRedis("vault"));

    [Fact]
    public Task A_secret_that_is_called_like_something_else_in_the_file() =>
        RefusedAsync("Two things would be called 'token'", static shop => shop.Api.WithEnvironment("SECOND", shop.Builder.AddParameter("token", secret: true)));

    [Fact]
    public Task More_than_an_instance_can_have() => RefusedAsync("has at most 4 cores and 8 GiB", static shop => shop.Api.WithResources(cpu: 6, memoryMiB: 1024));

    [Fact]
    public Task A_secret_in_an_argument() => RefusedAsync("An argument of 'api' holds a secret", static shop => shop.Api.WithArgs(shop.Builder.AddParameter("pin", secret: true)));

    [Fact]
    public Task A_part_of_a_managed_server() => RefusedAsync("Variable 'DB' of 'api' is made of parts of a server that Azure manages", static shop =>
        shop.Api.WithEnvironment("DB", shop.Builder.Resources.OfType<PostgresServerResource>().Single().PrimaryEndpoint));

    [Fact]
    public Task A_database_with_a_script_of_its_own() => RefusedAsync("Database 'shopdb' has a creation script", static shop =>
        shop.Builder.CreateResourceBuilder(shop.Builder.Resources.OfType<PostgresDatabaseResource>().Single()).WithCreationScript("CREATE DATABASE shopdb TEMPLATE template0"));

    [Fact]
    public async Task What_only_looks_like_a_part_of_a_connection_is_kept()
    {
        var builder = Apps.Publishing();
        Shop.Add(builder).Api.WithEnvironment("CACHE_SECONDS", "30");
        var api = (await Published.OfAsync(builder, "azure")).Files["infra/api.bicep"];
        Assert.Contains("name: 'CACHE_SECONDS'\n              value: '30'", api, StringComparison.Ordinal);
        Assert.DoesNotContain("CACHE_HOST", api, StringComparison.Ordinal);
    }

    private static async Task RefusedAsync(string message, Action<Shop> change)
    {
        var builder = Apps.Publishing();
        change(Shop.Add(builder));
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => Published.OfAsync(builder, "azure"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }
}
