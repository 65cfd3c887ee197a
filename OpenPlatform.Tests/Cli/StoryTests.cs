using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using OpenPlatform.Cli;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Cli;

/// <summary>The whole life of an API with everything real, from a terminal: only the partner's calls are HTTP.</summary>
public sealed class StoryTests(WholePlatform platform) : IClassFixture<WholePlatform>, IDisposable
{
    private const string Files =
        """
        backends:
          - { name: orders, service: orders }
        plans:
          - { name: partners, approvalRequired: true, schemes: [hmac], rateLimits: [ { requests: 1000, windowSeconds: 60 } ] }
        organizations:
          - name: acme
        applications:
          - { name: shop, organization: acme }
        apis:
          - name: orders
            version: v1
            basePath: /orders/v1
            backend: orders
            operations: [ { operationId: listOrders, method: GET, pathTemplate: /orders } ]
          - name: orders
            version: v2
            basePath: /orders/v2
            backend: orders
            operations: [ { operationId: listOrders, method: GET, pathTemplate: /orders } ]
        """;

    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(120);

    private readonly CliProcess _cli = new();
    private readonly HttpClient _partner = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _cli.Dispose();
        _partner.Dispose();
    }

    [Fact]
    public async Task An_API_is_applied_subscribed_to_called_billed_deprecated_and_retired_from_the_command_line()
    {
        (await platform.OperatorAsync()).Dispose(); // it is ready
        (await _cli.RunAsync(CatalogServer.AdminToken + "\n", ["login", "--server", platform.Catalog.ToString()])).Ended(0);

        // The enterprise publishes, the partner gets a key and asks, and is let in.
        await File.WriteAllTextAsync(Path.Combine(_cli.Home, "orders.yaml"), Files, Stop);
        (await _cli.RunAsync("apply", "-f", "orders.yaml", "--yes")).Ended(0);
        var credential = await JsonAsync("issue", "acme/shop", "--type", "hmac", "--name", "terminal");
        var subscription = await JsonAsync("subscribe", "acme/shop", "orders/v1", "--plan", "partners");
        Assert.Equal("pending", subscription["state"]!.GetValue<string>());
        await UntilAsync(async () => (await CallAsync(credential, "/orders/v1/orders")).StatusCode == HttpStatusCode.Forbidden);
        Assert.Equal("active", (await JsonAsync("approve", subscription.Id()))["state"]!.GetValue<string>());

        // It calls with what the tool signs.
        await UntilAsync(async () => (await CallAsync(credential, "/orders/v1/orders")).StatusCode == HttpStatusCode.OK);
        using (var again = await CallAsync(credential, "/orders/v1/orders"))
        {
            Assert.Contains("ord_", await again.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
        }

        // Two answers are two units.
        await UntilAsync(async () => (await JsonAsync("usage", "orders/v1", "--status", "2xx", "--by", "application,operation")) is JsonArray and [{ } row]
            && row["units"]!.GetValue<long>() == 2 && row["operationId"]!.GetValue<string>() == "listOrders");

        // Version 1 will end, takes nobody new, and ends.
        (await _cli.RunAsync("deprecate", "orders/v1", "--successor", "v2", "--sunset", "2999-01-01T00:00:00Z")).Ended(0);
        await UntilAsync(async () =>
        {
            using var response = await CallAsync(credential, "/orders/v1/orders");
            return response.StatusCode == HttpStatusCode.OK && response.Headers.Contains("Deprecation")
                && response.Headers.GetValues("Link").Any(static link => link == "</orders/v2>; rel=\"successor-version\"");
        });
        (await _cli.RunAsync("subscribe", "acme/shop", "orders/v1", "--plan", "partners")).Ended((int)ExitCode.Refused);
        (await _cli.RunAsync("retire", "orders/v1")).Ended((int)ExitCode.Usage); // nobody can be asked here
        (await _cli.RunAsync("retire", "orders/v1", "--yes")).Ended(0);
        await UntilAsync(async () =>
        {
            using var response = await CallAsync(credential, "/orders/v1/orders");
            return response.StatusCode == HttpStatusCode.Gone
                && JsonNode.Parse(await response.Content.ReadAsStringAsync(Stop))!["successor"]!.GetValue<string>() == "/orders/v2";
        });
    }

    private static Task UntilAsync(Func<Task<bool>> condition) => Eventually.TrueAsync(condition, Slow);

    private async Task<JsonNode> JsonAsync(params string[] arguments) => JsonNode.Parse((await _cli.RunAsync([.. arguments, "-o", "json"])).Ended(0).Output)!;

    private async Task<HttpResponseMessage> CallAsync(JsonNode credential, string path)
    {
        var url = new Uri(platform.Gateway, path).ToString();
        var signed = JsonNode.Parse((await _cli.RunAsync(
            string.Create(CultureInfo.InvariantCulture, $"{credential["secret"]}\n"), ["sign", url, "--key-id", credential["keyId"]!.GetValue<string>(), "-o", "json"])).Ended(0).Output)!;
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        foreach (var (name, value) in signed.AsObject())
        {
            request.Headers.TryAddWithoutValidation(name, value!.GetValue<string>());
        }

        return await _partner.SendAsync(request, Stop);
    }
}
