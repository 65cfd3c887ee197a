using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc.Testing;
using Orders;

namespace OpenPlatform.Tests.Samples;

public sealed class OrdersTests(WebApplicationFactory<OrdersApp> orders) : IClassFixture<WebApplicationFactory<OrdersApp>>
{
    private readonly HttpClient _http = orders.CreateClient();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_follow_one_another_through_Link_and_hold_every_order_once()
    {
        var seen = new List<string>();
        Uri? next = new("http://localhost/orders?limit=50");
        while (next is not null)
        {
            using var answer = await _http.GetAsync(next, Stop);
            var page = (await answer.Content.ReadFromJsonAsync<OrderPage>(Stop))!;
            seen.AddRange(page.Items.Select(order => order.Id));
            next = answer.Headers.TryGetValues("Link", out var links) && links.Single() is var link
                ? new Uri(next, link[1..link.IndexOf('>')])
                : null;
            Assert.Equal(next is null, page.NextCursor is null);
        }

        Assert.True(seen.Count >= 120);
        Assert.Equal(seen.Distinct(), seen);
        Assert.Equal(seen.Order(StringComparer.Ordinal), seen);
    }

    [Fact]
    public async Task A_new_order_has_its_address_and_its_total()
    {
        using var answer = await _http.PostAsJsonAsync(
            "/orders", new NewOrder("Contoso", null, [new NewOrderLine("BOLT", 3, 1.25m), new NewOrderLine("NUT", 1, 0.10m)]), Stop);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var created = await _http.GetFromJsonAsync<Order>(new Uri(new Uri("http://localhost/orders"), answer.Headers.Location!), Stop);
        Assert.Equal(("Contoso", 3.85m, "EUR"), (created!.Customer, created.Total, created.Currency));
    }

    [Theory]
    [InlineData("""{"customer":"","lines":[{"sku":"a","quantity":1,"unitPrice":1}]}""", "customer")]
    [InlineData("""{"customer":"A","currency":"euro","lines":[{"sku":"a","quantity":1,"unitPrice":1}]}""", "currency")]
    [InlineData("""{"customer":"A"}""", "lines")]
    [InlineData("""{"customer":"A","lines":[]}""", "lines")]
    [InlineData("""{"customer":"A","lines":[null]}""", "lines[0]")]
    [InlineData("""{"customer":"A","lines":[{"sku":"a","quantity":0,"unitPrice":1}]}""", "lines[0].quantity")]
    [InlineData("""{"customer":"A","lines":[{"sku":"a","quantity":1,"unitPrice":1.001}]}""", "lines[0].unitPrice")]
    [InlineData("""{"customer":"A","lines":[{"sku":"a","quantity":"many","unitPrice":1}]}""", "lines[0].quantity")]
    public async Task A_wrong_order_is_refused_with_the_field_that_is_wrong(string body, string field)
    {
        using var answer = await _http.PostAsync("/orders", new StringContent(body, Encoding.UTF8, "application/json"), Stop);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        using var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Stop));
        Assert.Equal([field], problem.RootElement.GetProperty("errors").EnumerateObject().Select(error => error.Name));
    }

    [Theory]
    [InlineData("/orders?limit=0", 400, "limit")]
    [InlineData("/orders?limit=101", 400, "limit")]
    [InlineData("/orders?limit=abc", 400, "limit")]
    [InlineData("/orders?cursor=abc", 400, "cursor")]
    [InlineData("/orders/ord_999999", 404, "ord_999999")]
    [InlineData("/slow?milliseconds=30001", 400, "milliseconds")]
    [InlineData("/error?status=200", 400, "status")]
    [InlineData("/error?status=418", 418, "asked for")]
    [InlineData("/error", 500, "asked for")]
    [InlineData("/nowhere", 404, "Not Found")]
    public async Task Every_refusal_is_problem_json_and_says_what_is_meant(string path, int status, string mentions)
    {
        using var answer = await _http.GetAsync(path, Stop);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        Assert.Contains(mentions, await answer.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
        Assert.Single(answer.Headers.GetValues("X-Instance"));
    }

    [Fact]
    public async Task Its_OpenAPI_document_lists_its_operations()
    {
        using var document = JsonDocument.Parse(await _http.GetStringAsync("/openapi/v1.json", Stop));
        Assert.StartsWith("3.1", document.RootElement.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        var operations = document.RootElement.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => $"{operation.Name.ToUpperInvariant()} {path.Name}"));
        Assert.Equal(["GET /error", "GET /orders", "GET /orders/{id}", "GET /slow", "POST /orders"], operations.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("/health")]
    [InlineData("/alive")]
    public async Task It_is_healthy_and_alive(string path) => Assert.Equal("Healthy", await _http.GetStringAsync(path, Stop));
}
