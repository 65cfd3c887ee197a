using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Tests.Catalog;

public sealed class UsageTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_batch_that_is_posted_again_and_again_and_at_once_counts_once()
    {
        using var gateway = fixture.Catalog.Gateway();
        var application = Guid.NewGuid();
        var batches = Enumerable.Range(1, 20).Select(sequence => Batch(sequence, Units(application, 3), Units(application, 4, status: 404))).ToList();
        var epoch = Guid.NewGuid();

        var receipts = await Task.WhenAll(batches.SelectMany(batch => Enumerable.Range(0, 5).Select(_ => PostAsync(gateway, batch with { Epoch = epoch }))));

        Assert.Equal(20, receipts.Count(receipt => receipt.Accepted));
        Assert.Equal(20 * 7, (await SumAsync($"application={application}"))["totalUnits"]!.GetValue<long>());
        await using var connection = new NpgsqlConnection(fixture.ConnectionString);
        Assert.Equal(
            (20L, 140L, 40L, 140L),
            await connection.QuerySingleAsync<(long, long, long, long)>(
                """
                select (select count(*) from usage_batches where epoch = @epoch), (select sum(units)::bigint from usage_batches where epoch = @epoch),
                       (select count(*) from usage_items where application_id = @application), (select sum(units)::bigint from usage_items where application_id = @application)
                """, new { epoch, application }));
    }

    [Fact]
    public async Task Units_are_summed_by_hour_version_operation_and_status_within_the_filter()
    {
        using var admin = fixture.Catalog.Operator();
        using var gateway = fixture.Catalog.Gateway();
        var api = await admin.CreateAsync("apis", await new Parts(admin).BodyAsync("apis"));
        var version = Guid.Parse(api["versions"]![0]!.Id());
        var (mine, other) = (Guid.NewGuid(), Guid.NewGuid());
        await PostAsync(gateway, Batch(1,
            Units(mine, 1, version, minute: Noon), Units(mine, 2, version, minute: Noon.AddMinutes(59)), Units(mine, 4, version, minute: Noon.AddHours(1)),
            Units(mine, 8, version, status: 429), Units(mine, 16, version, operation: "other"), Units(mine, 32), Units(other, 64, version)));

        var sums = await SumAsync($"application={mine}&api={api.Id()}");
        Assert.Equal(31, sums["totalUnits"]!.GetValue<long>());
        Assert.Equal(
            ["12 list 200 3", "12 list 429 8", "12 other 200 16", "13 list 200 4"],
            sums["items"]!.AsArray().Select(item => $"{item!["start"]!.GetValue<DateTimeOffset>().Hour} {item["operationId"]} {item["status"]} {item["units"]}"));
        Assert.All(sums["items"]!.AsArray(), item => Assert.Equal(api.Id(), item!["apiId"]!.GetValue<string>()));

        Assert.Equal(63, (await SumAsync($"application={mine}"))["totalUnits"]!.GetValue<long>());
        Assert.Equal(95, (await SumAsync($"api={api.Id()}"))["totalUnits"]!.GetValue<long>());
        Assert.Equal(59, (await SumAsync($"application={mine}&to=2026-03-01T13:00:00Z"))["totalUnits"]!.GetValue<long>());
        Assert.Equal(4, (await SumAsync($"application={mine}&from=2026-03-01T14:00:00%2B01:00"))["totalUnits"]!.GetValue<long>());
        Assert.Equal(0, (await SumAsync($"application={Guid.NewGuid()}"))["totalUnits"]!.GetValue<long>());
    }

    [Fact]
    public async Task Pages_of_usage_add_up_to_the_total_that_each_of_them_tells()
    {
        using var admin = fixture.Catalog.Operator();
        using var gateway = fixture.Catalog.Gateway();
        var application = Guid.NewGuid();
        await PostAsync(gateway, Batch(1, [.. Enumerable.Range(0, 23).Select(i => Units(application, i + 1, operation: $"op|{i % 7}", minute: Noon.AddHours(i / 7), status: 200 + (i % 2)))]));

        var sum = 0L;
        var pages = 0;
        for (string? next = $"/admin/v1/usage?application={application}&limit=4"; next is not null; pages++)
        {
            using var page = await admin.GetAsync(next);
            var body = await page.JsonAsync();
            Assert.Equal(276, body["totalUnits"]!.GetValue<long>());
            sum += body["items"]!.AsArray().Sum(item => item!["units"]!.GetValue<long>());
            next = page.Headers.TryGetValues("Link", out var links) ? links.Single()[1..].Split('>')[0] : null;
        }

        Assert.Equal(276, sum);
        Assert.Equal(6, pages);
    }

    [Fact]
    public async Task A_large_batch_is_exact()
    {
        using var gateway = fixture.Catalog.Gateway();
        var application = Guid.NewGuid();
        var receipt = await PostAsync(gateway, Batch(1, [.. Enumerable.Range(0, 10_000).Select(i => Units(application, 1_000_000_000 - i, operation: $"op{i % 50}"))]));
        Assert.True(receipt.Accepted);
        Assert.Equal((10_000L * 1_000_000_000) - (9_999L * 10_000 / 2), (await SumAsync($"application={application}"))["totalUnits"]!.GetValue<long>());
    }

    /// <summary>A backend may answer 999, and an operation may be called by anything that was published: what is refused here is billed to nobody.</summary>
    [Fact]
    public async Task What_is_odd_about_an_answer_does_not_cost_its_batch()
    {
        using var gateway = fixture.Catalog.Gateway();
        var application = Guid.NewGuid();
        var odd = Units(application, 4, operation: "list\tall");
        var receipt = await PostAsync(gateway, Batch(1, odd, odd with { Status = 999 }, odd with { Status = 600, OperationId = "=1+1" }));

        Assert.True(receipt.Accepted);
        Assert.Equal(12, (await SumAsync($"application={application}"))["totalUnits"]!.GetValue<long>());
        Assert.Equal(4, (await SumAsync($"application={application}&status=9xx"))["totalUnits"]!.GetValue<long>());
        using var admin = fixture.Catalog.Operator();
        var body = await new Parts(admin).BodyAsync("apis");
        body["operations"]![0]!["operationId"] = "list\tall";
        using var refused = await admin.PostAsJsonAsync("/admin/v1/apis", body);
        Assert.Equal(["/operations/0/operationId"], await refused.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Theory]
    [InlineData("=HYPERLINK(\"http://evil.example\")", "\"'=HYPERLINK(\"\"http://evil.example\"\")\"")]
    [InlineData("+1", "'+1")]
    [InlineData("-2+3", "'-2+3")]
    [InlineData("@SUM(A1)", "'@SUM(A1)")]
    [InlineData("plain, \"quoted\"", "\"plain, \"\"quoted\"\"\"")]
    public async Task What_a_spreadsheet_would_run_is_text_in_the_CSV(string operation, string cell)
    {
        using var gateway = fixture.Catalog.Gateway();
        var application = Guid.NewGuid();
        await PostAsync(gateway, Batch(1, Units(application, 3, operation: operation)));
        using var admin = fixture.Catalog.Operator();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/admin/v1/usage?application={application}&granularity=total&groupBy=operation");
        request.Headers.TryAddWithoutValidation("Accept", "text/csv");
        using var csv = await admin.SendAsync(request);
        Assert.Equal($"operationId,units\r\n{cell},3\r\n", await csv.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("gateway", "\"\"", "/gateway")]
    [InlineData("gateway", "\"a\\u0000b\"", "/gateway")]
    [InlineData("epoch", "\"00000000-0000-0000-0000-000000000000\"", "/epoch")]
    [InlineData("sequence", "0", "/sequence")]
    [InlineData("items/0", "null", "/items/0")]
    [InlineData("items/0/minute", "\"2026-03-01T12:00:30Z\"", "/items/0/minute")]
    [InlineData("items/0/operationId", "\"\"", "/items/0/operationId")]
    [InlineData("items/0/operationId", "\"a\\u0000b\"", "/items/0/operationId")]
    [InlineData("items/0/status", "99", "/items/0/status")]
    [InlineData("items/0/status", "1000", "/items/0/status")]
    [InlineData("items/0/units", "0", "/items/0/units")]
    [InlineData("items/0/units", "1000000001", "/items/0/units")]
    public async Task A_batch_that_cannot_be_is_refused_whole(string member, string json, string pointer)
    {
        var application = Guid.NewGuid();
        var batch = JsonNode.Parse(JsonSerializer.Serialize(Batch(1, Units(application, 5), Units(application, 6)), UsageJson.Default.UsageBatch))!;
        switch (member.Split('/'))
        {
            case [var name]:
                batch[name] = JsonNode.Parse(json);
                break;
            case [_, _]:
                batch["items"]![0] = JsonNode.Parse(json);
                break;
            case [_, _, var name]:
                batch["items"]![0]![name] = JsonNode.Parse(json);
                break;
        }

        using var response = await PostTextAsync(batch.ToJsonString());

        Assert.Equal([pointer], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        Assert.Equal(0, (await SumAsync($"application={application}"))["totalUnits"]!.GetValue<long>());
    }

    [Fact]
    public async Task Too_many_items_and_too_many_bytes_are_refused()
    {
        var many = Batch(1, [.. Enumerable.Repeat(Units(Guid.NewGuid(), 1), 10_001)]);
        using var items = await PostTextAsync(JsonSerializer.Serialize(many, UsageJson.Default.UsageBatch));
        Assert.Equal(["/items"], await items.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        using var gateway = fixture.Catalog.Gateway();
        gateway.DefaultRequestHeaders.ExpectContinue = true; // the answer comes instead of the go-ahead
        using var bytes = await gateway.PostAsync(InternalApi.UsagePath, new StringContent("\"" + new string('x', 9 * 1024 * 1024)));
        await bytes.ProblemAsync(HttpStatusCode.RequestEntityTooLarge);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"gateway\":null}")]
    public async Task What_is_no_batch_is_refused(string body)
    {
        using var response = await PostTextAsync(body);
        await response.ProblemAsync(HttpStatusCode.BadRequest);
    }

    [Theory]
    [InlineData("cursor=nonsense")]
    [InlineData("cursor=AAAA")]
    [InlineData("limit=500")]
    [InlineData("application=7")]
    [InlineData("from=yesterday")]
    public async Task A_question_that_cannot_be_is_refused(string query)
    {
        using var admin = fixture.Catalog.Operator();
        using var response = await admin.GetAsync($"/admin/v1/usage?{query}");
        await response.ProblemAsync(HttpStatusCode.BadRequest);
    }

    private static UsageBatch Batch(long sequence, params IReadOnlyList<UsageUnits> items) => new("gateway-1", Guid.NewGuid(), sequence, items);

    private static UsageUnits Units(Guid application, long units, Guid? version = null, string operation = "list", int status = 200, DateTimeOffset? minute = null) =>
        new(minute ?? Noon, Guid.NewGuid(), application, version ?? Guid.NewGuid(), operation, status, units);

    private static async Task<UsageReceipt> PostAsync(HttpClient gateway, UsageBatch batch)
    {
        using var response = await gateway.PostAsJsonAsync(InternalApi.UsagePath, batch, UsageJson.Default.UsageBatch);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync(UsageJson.Default.UsageReceipt))!;
    }

    private async Task<HttpResponseMessage> PostTextAsync(string body)
    {
        using var gateway = fixture.Catalog.Gateway();
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await gateway.PostAsync(InternalApi.UsagePath, content);
    }

    private async Task<JsonObject> SumAsync(string query)
    {
        using var admin = fixture.Catalog.Operator();
        using var response = await admin.GetAsync($"/admin/v1/usage?{query}");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.JsonAsync();
    }
}
