using System.Net;
using System.Net.Http.Json;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dapper;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Contracts;
using OpenPlatform.Tests.Catalog.Jobs;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>A catalog that has two of everything that it lists, and does nothing by itself.</summary>
public sealed class TwoOfEverything(SharedPostgres postgres) : IAsyncLifetime
{
    private LedJobs _led = null!;

    internal CatalogServer Catalog => _led.Catalog;

    public async ValueTask InitializeAsync()
    {
        var connection = await postgres.CreateDatabaseAsync();
        _led = await LedJobs.StartAsync(connection, ("OpenPlatform:Webhooks:PollInterval", "00:01:00"));
        using var admin = Catalog.Operator();
        var parts = new Parts(admin);
        var (first, second) = (await parts.BodyAsync("subscriptions"), await parts.BodyAsync("subscriptions"));
        second["versionId"] = first["versionId"]!.DeepClone(); // callers of one version
        var subscriptions = new[] { await admin.CreateAsync("subscriptions", first), await admin.CreateAsync("subscriptions", second) };
        foreach (var (subscription, i) in subscriptions.Select(static (subscription, i) => (subscription, i)))
        {
            await admin.CreateAsync("credentials", new { applicationId = subscription["applicationId"]!.GetValue<string>() });
            await admin.CreateAsync("accounts", new { name = $"account-{i}", password = "a password of the tests", roles = new[] { "auditor" } });
            await admin.CreateAsync("tokens", new { name = $"token {i}", roles = new[] { "auditor" } });
            await admin.CreateAsync("webhooks", new { url = $"https://partner.example/{i}", active = false });
            await admin.CreateAsync("changesets", new { puts = new { organizations = new[] { new { name = $"declared {i}" } } } });
        }

        await AddVersionsAndRevisionsAsync(admin, first["planId"]!.GetValue<string>());
        await TellAsync(admin, subscriptions);
        await using var database = new NpgsqlConnection(connection);
        await database.ExecuteAsync(
            """
            insert into webhook_deliveries (webhook_id, event_id, position, subject, state, next_attempt_at)
            select (select min(id::text)::uuid from webhooks), id, position, subject, 'delivered', now() from outbox limit 2
            """);
    }

    public ValueTask DisposeAsync() => _led.DisposeAsync();

    private static async Task AddVersionsAndRevisionsAsync(HttpClient admin, string plan)
    {
        var api = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/apis"))!["items"]![0]!;
        var backendId = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/backends"))!["items"]![0]!.Id();
        var operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/things" }, new { operationId = "get", method = "GET", pathTemplate = "/things/{id}" } };
        using var revision = await admin.ActAsync($"apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}/revisions", "*", new { backendId, operations });
        using var version = await admin.ActAsync($"apis/{api.Id()}/versions", "*", new { version = "v2", basePath = "/second/v2", backendId, operations });
        using var terms = await admin.PatchAsync($"plans/{plan}", "*", new { priority = 3 });
        foreach (var response in new[] { revision, version, terms })
        {
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        }
    }

    /// <summary>What gateways say: what they run, which instances they see, what was called.</summary>
    private async Task TellAsync(HttpClient admin, JsonObject[] subscriptions)
    {
        using var gateway = Catalog.Gateway();
        var backend = JsonNode.Parse(await admin.GetStringAsync("/admin/v1/backends"))!["items"]![0]!.Id();
        var minute = DateTimeOffset.UtcNow.AddMinutes(-3).ToString("yyyy-MM-ddTHH:mm:00Z", System.Globalization.CultureInfo.InvariantCulture);
        foreach (var name in new[] { "g-1", "g-2" })
        {
            await PostAsync(InternalApi.AckPath, new { gateway = name, address = (string?)null, zone = (string?)null, revision = 1, lagMs = 0, refused = Array.Empty<object>() });
        }

        var instances = new[] { "http://10.0.0.1:8080", "http://10.0.0.2:8080" }.Select(address => new { id = address, address, backendId = backend, zone = (string?)null, source = "lease", weight = 100, state = "ready", ejectedBecause = (string?)null });
        await PostAsync(InternalApi.InstancesPath, new { gateway = "g-1", instances });
        await PostAsync(InternalApi.UsagePath, new
        {
            gateway = "g-1", epoch = Guid.NewGuid(), sequence = 1,
            items = subscriptions.Select(subscription => new
            {
                minute, subscriptionId = subscription.Id(), applicationId = subscription["applicationId"]!.GetValue<string>(), versionId = subscription["versionId"]!.GetValue<string>(),
                operationId = "list", status = 200, units = 7,
            }),
        });
        await _led.RunAsync("usage-roll-up");

        async Task PostAsync(string path, object body)
        {
            using var response = await gateway.PostAsJsonAsync(path, body);
            Assert.True(response.IsSuccessStatusCode, $"{path}: {await response.Content.ReadAsStringAsync()}");
        }
    }
}

/// <summary>What holds for every list of the admin API. Which there are is found among the endpoints: whatever takes a <see cref="PageQuery"/>.</summary>
public sealed partial class ListTests(TwoOfEverything fixture) : IClassFixture<TwoOfEverything>
{
    [Theory]
    [InlineData("limit=0", "?limit")]
    [InlineData("limit=201", "?limit")]
    [InlineData("limit=-1", "?limit")]
    [InlineData("limit=many", "?limit")]
    [InlineData("limit=1.5", "?limit")]
    [InlineData("LIMIT=99999999999", "?LIMIT")]
    [InlineData("cursor=!", "?cursor")]
    [InlineData("cursor=%2e%2e%2f", "?cursor")]
    public async Task A_page_that_cannot_be_is_refused_by_every_list_at_its_parameter(string query, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var wrong = new List<string>();
        foreach (var list in await ListsAsync(admin))
        {
            using var response = await admin.GetAsync($"{list}?{query}", TestContext.Current.CancellationToken);
            var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            if (response.StatusCode != HttpStatusCode.BadRequest || JsonNode.Parse(text)!["errors"]?.AsArray() is not [var error] || error!["pointer"]!.GetValue<string>() != pointer)
            {
                wrong.Add($"{list}: {(int)response.StatusCode} {text}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task Every_list_goes_on_by_its_links_without_loss_or_repetition()
    {
        using var admin = fixture.Catalog.Operator();
        var wrong = new List<string>();
        foreach (var list in await ListsAsync(admin))
        {
            using var whole = await admin.GetAsync($"{list}?limit=200", TestContext.Current.CancellationToken);
            var expected = (await whole.JsonAsync())["items"]!.AsArray().Select(static item => item!.ToJsonString()).ToList();
            if (expected.Count < 2 || whole.Headers.Contains("Link"))
            {
                wrong.Add($"{list} has {expected.Count} on a page of 200, {whole.Headers}");
                continue;
            }

            // One on each page; a list that does not end is wrong, too.
            var walked = new List<string>();
            for (string? next = $"{list}?limit=1"; next is not null && walked.Count <= expected.Count;)
            {
                using var page = await admin.GetAsync(next, TestContext.Current.CancellationToken);
                walked.AddRange((await page.JsonAsync())["items"]!.AsArray().Select(static item => item!.ToJsonString()));
                next = page.Headers.TryGetValues("Link", out var links) ? Next().Match(links.Single()) is { Success: true } link ? link.Groups["target"].Value : throw new FormatException(links.Single()) : null;
            }

            if (!expected.SequenceEqual(walked))
            {
                wrong.Add($"{list}:\n  at once: {string.Join(' ', expected)}\n  one by one: {string.Join(' ', walked)}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private async Task<IReadOnlyList<string>> ListsAsync(HttpClient admin)
    {
        var paths = fixture.Catalog.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(static endpoint => endpoint.Metadata.OfType<MethodInfo>().Any(static handler => handler.GetParameters().Any(static parameter => parameter.ParameterType == typeof(PageQuery))))
            .Select(static endpoint => "/" + endpoint.RoutePattern.RawText!.Trim('/')).Order(StringComparer.Ordinal).ToList();
        Assert.True(paths.Count > 18, string.Join(' ', paths));
        var lists = new List<string>();
        foreach (var path in paths)
        {
            lists.Add(await admin.FillAsync(path));
        }

        return lists;
    }

    [GeneratedRegex("^<(?<target>[^>]+)>; rel=\"next\"\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Next();
}
