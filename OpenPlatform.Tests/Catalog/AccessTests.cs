using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using OpenPlatform.Contracts;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

public sealed class AccessTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    public static TheoryData<string?> WrongTokens()
    {
        var wrong = new TheoryData<string?>
        {
            "", "Bearer", "Bearer ", "Bearer wrong", $"Bearer {CatalogServer.AdminToken}x", $"Bearer {CatalogServer.AdminToken[..^1]}",
            $"Basic {CatalogServer.AdminToken}", CatalogServer.AdminToken, $"Bearer {CatalogServer.ServiceToken}", $"Bearer {new string('x', 10_000)}",
        };
        wrong.Add((string?)null);
        return wrong;
    }

    [Theory]
    [MemberData(nameof(WrongTokens))]
    public async Task Without_the_operators_token_every_path_of_the_admin_api_is_401(string? authorization)
    {
        using var client = fixture.Catalog.Anonymous();
        foreach (var path in new[] { "/admin/v1/apis", "/ADMIN/V1/apis", "/admin/v1/credentials/" + Guid.NewGuid(), "/admin/v1/usage", "/admin/v1/nothing", "/admin", "/nothing" })
        {
            using var response = await SendAsync(client, HttpMethod.Get, path, authorization);
            await response.ProblemAsync(HttpStatusCode.Unauthorized);
            Assert.Equal("Bearer", response.Headers.WwwAuthenticate.ToString());
        }

        using var write = new HttpRequestMessage(HttpMethod.Post, "/admin/v1/plans") { Content = JsonContent.Create(new { name = "stolen" }) };
        write.Headers.TryAddWithoutValidation("Authorization", authorization);
        using var refused = await client.SendAsync(write);
        await refused.ProblemAsync(HttpStatusCode.Unauthorized);
        Assert.DoesNotContain((await fixture.Catalog.SnapshotAsync()).Plans, plan => plan.Name == "stolen");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer wrong")]
    [InlineData($"Bearer {CatalogServer.AdminToken}")]
    public async Task Without_the_gateways_token_the_internal_api_is_401(string? authorization)
    {
        using var client = fixture.Catalog.Anonymous();
        using var snapshot = await SendAsync(client, HttpMethod.Get, InternalApi.SnapshotPath, authorization);
        await snapshot.ProblemAsync(HttpStatusCode.Unauthorized);
        using var usage = await SendAsync(client, HttpMethod.Post, InternalApi.UsagePath, authorization);
        await usage.ProblemAsync(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("Via", "1.1 gateway")]
    [InlineData("Forwarded", "for=10.0.0.1")]
    [InlineData("X-Forwarded-For", "10.0.0.1")]
    [InlineData("X-Forwarded-Proto", "https")]
    [InlineData("x-forwarded-anything", "")]
    [InlineData("X-Original-For", "10.0.0.1:1")]
    public async Task The_internal_api_is_not_there_for_what_came_through_a_proxy_with_a_right_token_too(string header, string value)
    {
        using var gateway = fixture.Catalog.Gateway();
        foreach (var (method, path) in new[] { (HttpMethod.Get, InternalApi.SnapshotPath), (HttpMethod.Get, "/INTERNAL/V1/snapshot"), (HttpMethod.Post, InternalApi.UsagePath) })
        {
            using var request = new HttpRequestMessage(method, path);
            request.Headers.TryAddWithoutValidation(header, value);
            using var response = await gateway.SendAsync(request);
            await response.ProblemAsync(HttpStatusCode.NotFound);
        }
    }

    [Fact]
    public async Task Health_and_the_api_description_need_no_token()
    {
        using var client = fixture.Catalog.Anonymous();
        Assert.Equal(HttpStatusCode.OK, await CatalogServer.HealthAsync(client));
        using var alive = await client.GetAsync("/alive");
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        using var description = await client.GetAsync("/openapi/v1.json");
        Assert.Equal(HttpStatusCode.OK, description.StatusCode);
    }

    [Fact]
    public async Task The_api_description_is_openapi_3_1_and_tells_every_resource_and_nothing_internal()
    {
        using var client = fixture.Catalog.Anonymous();
        using var response = await client.GetAsync("/openapi/v1.json");
        var document = await response.JsonAsync();

        Assert.StartsWith("3.1.", document["openapi"]!.GetValue<string>(), StringComparison.Ordinal);
        var paths = document["paths"]!.AsObject().Select(path => path.Key).ToList();
        foreach (var collection in ResourceTests.Collections())
        {
            Assert.Contains($"/admin/v1/{collection.Data}", paths);
            Assert.Contains($"/admin/v1/{collection.Data}/{{id}}", paths);
        }

        Assert.Contains("/admin/v1/usage", paths);
        Assert.Contains("/admin/v1/subscriptions/{id}:approve", paths);
        Assert.DoesNotContain(paths, path => path.Contains("internal", StringComparison.OrdinalIgnoreCase));
        var approve = document["paths"]!["/admin/v1/subscriptions/{id}:approve"]!["post"]!;
        Assert.Equal(["id", "If-Match", "Idempotency-Key"], approve["parameters"]!.AsArray().Select(parameter => parameter!["name"]!.GetValue<string>()));
        Assert.Equal("string", document["components"]!["schemas"]!["PlanRequest"]!["properties"]!["name"]!["type"]!.GetValue<string>());
        Assert.Equal(["name"], document["components"]!["schemas"]!["PlanRequest"]!["required"]!.AsArray().Select(name => name!.GetValue<string>()));
    }

    [Theory]
    [InlineData("OpenPlatform:AdminToken", null)]
    [InlineData("OpenPlatform:ServiceToken", "")]
    [InlineData("OpenPlatform:KeyPepper", null)]
    [InlineData("OpenPlatform:KeyPepper", "too short")]
    [InlineData("ConnectionStrings:catalogdb", null)]
    public async Task Without_what_it_needs_it_refuses_to_start_and_names_the_setting(string key, string? value)
    {
        var settings = new Dictionary<string, string>
        {
            ["ConnectionStrings__catalogdb"] = fixture.ConnectionString, ["ConnectionStrings__redis"] = "127.0.0.1:1",
            ["OpenPlatform__AdminToken"] = CatalogServer.AdminToken, ["OpenPlatform__ServiceToken"] = CatalogServer.ServiceToken, ["OpenPlatform__KeyPepper"] = CatalogServer.Pepper,
        };
        settings[key.Replace(":", "__", StringComparison.Ordinal)] = value ?? "";

        var ended = await Assert.ThrowsAsync<InvalidOperationException>(() => ServiceProcess.StartAsync("OpenPlatform.Catalog.dll", settings));

        Assert.Contains(key, ended.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("too short", ended.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(CatalogServer.AdminToken, ended.Message, StringComparison.Ordinal);
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method, string path, string? authorization)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.TryAddWithoutValidation("Authorization", authorization);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        return await client.SendAsync(request);
    }
}
