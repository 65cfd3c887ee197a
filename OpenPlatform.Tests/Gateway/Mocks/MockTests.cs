using System.Net;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Mocks;

/// <summary>Operations that are answered with their example.</summary>
public sealed class MockTests
{
    private static readonly ExampleAnswer Example = new(200, "application/json", """{"orders":[]}""");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null, null, false)] // an example alone changes nothing
    [InlineData(true, null, true)]
    [InlineData(true, false, false)]
    [InlineData(null, true, true)]
    public async Task An_operation_is_mocked_where_its_API_or_it_says_so(bool? api, bool? operation, bool mocked)
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]).WithPolicies(new() { Mock = api })
            .WithOperation("listOrders", new() { Mock = operation, Example = Example }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal(mocked ? Example.Body : "hello", await response.Content.ReadAsStringAsync(Stop));
        Assert.Equal(mocked ? ["true"] : null, response.Headers.TryGetValues("X-Mock", out var marks) ? marks : null);
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders/7", Stop)); // has no example
    }

    [Fact]
    public async Task A_mock_takes_from_the_limit_and_is_not_billed()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address], limits: [new RateLimitModel(3, 3600)])
            .WithOperation("listOrders", new() { Mock = true, Example = Example }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var stranger = gateway.Client(TestSnapshot.StrangerKey);
        using var forbidden = await stranger.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(forbidden, HttpStatusCode.Forbidden, "not-subscribed");

        using var client = gateway.Client();
        using var mocked = await client.GetAsync("/orders/v1/orders", Stop);
        Assert.Equal("\"3-per-3600s\";r=2;t=1200", mocked.Headers.GetValues("RateLimit").Single());
        using var head = new HttpRequestMessage(HttpMethod.Head, "/orders/v1/orders");
        using var headed = await client.SendAsync(head, Stop);
        Assert.Equal((Example.Body!.Length, "application/json"), ((int)headed.Content.Headers.ContentLength!, headed.Content.Headers.ContentType!.MediaType));
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders/7", Stop));
        using var limited = await client.GetAsync("/orders/v1/orders", Stop);
        await PipelineTests.AssertRefusedAsync(limited, HttpStatusCode.TooManyRequests, "rate-limited");
        await Eventually.TrueAsync(() => catalog.Units == 1);
        Assert.Equal("getOrder", Assert.Single(catalog.Usage).OperationId);
    }

    [Fact]
    public async Task A_mock_needs_no_backend_and_may_have_no_content()
    {
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([new("http://127.0.0.1:9")]).WithOperation("createOrder", new() { Mock = true, Example = new(204) }));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        using var response = await client.PostAsync("/orders/v1/orders", new StringContent("{}"), Stop);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }
}
