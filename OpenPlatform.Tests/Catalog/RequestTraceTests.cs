using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Trace ids of a catalog whose traces nobody collects.</summary>
public sealed class RequestTraceTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";

    [Theory]
    [InlineData("GET", "/admin/v1/organizations/0197aaaa-0000-7000-8000-000000000000", HttpStatusCode.NotFound)]
    [InlineData("GET", "/nothing", HttpStatusCode.NotFound)]
    [InlineData("POST", "/admin/v1/organizations", HttpStatusCode.UnprocessableEntity)]
    public async Task A_problem_names_the_trace_that_its_caller_is_part_of(string method, string path, HttpStatusCode status)
    {
        using var admin = fixture.Catalog.Operator();
        using var response = await SendAsync(admin, method, path, $"00-{Trace}-00f067aa0ba902b7-01");

        Assert.Equal(status, response.StatusCode);
        Assert.Equal(Trace, await TraceOfAsync(response));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("00-00000000000000000000000000000000-00f067aa0ba902b7-01")]
    [InlineData($"00-{Trace}-0000000000000000-01")]
    [InlineData($"ff-{Trace}-00f067aa0ba902b7-01")]
    public async Task What_is_no_trace_is_replaced_by_one_of_our_own(string traceParent)
    {
        using var admin = fixture.Catalog.Operator();
        using var read = await SendAsync(admin, "GET", "/nothing", traceParent);
        using var change = await SendAsync(admin, "POST", "/admin/v1/organizations", traceParent);

        await read.ProblemAsync(HttpStatusCode.NotFound); // looks for 32 hex digits
        await change.ProblemAsync(HttpStatusCode.UnprocessableEntity);
        Assert.NotEqual(await TraceOfAsync(read), await TraceOfAsync(change));
    }

    [Fact]
    public async Task The_audit_names_the_trace_that_a_change_is_part_of()
    {
        using var admin = fixture.Catalog.Operator();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/v1/organizations") { Content = JsonContent.Create(new { name = "traced" }) };
        request.Headers.Add("traceparent", $"00-{Trace}-00f067aa0ba902b7-01");
        using var response = await admin.SendAsync(request);
        var id = (await response.JsonAsync()).Id();

        using var audit = await admin.GetAsync($"/admin/v1/audit?kind=organization&id={id}");
        var entry = Assert.Single((await audit.JsonAsync())["items"]!.AsArray());

        Assert.Equal(Trace, entry!["traceId"]!.GetValue<string>());
    }

    [Fact]
    public async Task What_fails_unexpectedly_has_the_same_trace_in_its_answer_and_in_the_log()
    {
        using var admin = fixture.Catalog.Operator();
        await using var database = NpgsqlDataSource.Create(fixture.ConnectionString);
        await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("alter table webhooks rename to mislaid");
        try
        {
            using var response = await SendAsync(admin, "GET", $"/admin/v1/webhooks/{Guid.NewGuid()}", "");

            Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
            Assert.Contains($"failed (trace {await TraceOfAsync(response)})", fixture.Catalog.Logs.All, StringComparison.Ordinal);
        }
        finally
        {
            await connection.ExecuteAsync("alter table mislaid rename to webhooks");
        }
    }

    [Fact]
    public async Task What_fails_after_its_commit_has_the_trace_of_its_audit()
    {
        using var admin = fixture.Catalog.Operator();
        var organization = (await admin.CreateAsync("organizations", new { name = "rotates" })).Id();
        var application = (await admin.CreateAsync("applications", new { organizationId = organization, name = "rotates" })).Id();
        var credential = (await admin.CreateAsync("credentials", new { applicationId = application })).Id();
        await using var database = NpgsqlDataSource.Create(fixture.ConnectionString);
        await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        // The answer of a rotation is kept in its transaction and corrected afterwards, which fails now.
        await connection.ExecuteAsync(
            """
            create function refuse() returns trigger language plpgsql as $$ begin raise 'no more'; end $$;
            create trigger refuse before update on idempotency for each row when (old.answer is not null) execute function refuse();
            """);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/admin/v1/credentials/{credential}:rotate") { Content = JsonContent.Create(new { }) };
            request.Headers.Add("Idempotency-Key", "rotates");
            request.Headers.TryAddWithoutValidation("If-Match", "*");
            using var response = await admin.SendAsync(request);
            var trace = await TraceOfAsync(response);
            using var audit = await admin.GetAsync("/admin/v1/audit?kind=credential");

            Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
            Assert.Contains(trace, (await audit.JsonAsync())["items"]!.AsArray().Select(static entry => entry!["traceId"]!.GetValue<string>()));
            Assert.Contains($"failed (trace {trace})", fixture.Catalog.Logs.All, StringComparison.Ordinal);
        }
        finally
        {
            await connection.ExecuteAsync("drop function refuse() cascade");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(false, "Logging:LogLevel:Microsoft.AspNetCore", "Warning")]
    [InlineData(true, "Logging:LogLevel:Microsoft.AspNetCore", "Information")]
    [InlineData(true, "Logging:LogLevel:Microsoft.AspNetCore.Hosting", "Debug")]
    [InlineData(true, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")]
    public void Only_who_exports_or_asks_for_it_pays_for_an_activity_of_each_request(bool isOn, string key = "Other", string value = "x")
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Logging.AddProvider(new LogLines());
        builder.Configuration[key] = value;
        builder.AddRequestTraces();
        using var services = builder.Services.BuildServiceProvider();

        // Hosting begins one while this category could log anything.
        Assert.Equal(isOn, services.GetRequiredService<ILoggerFactory>().CreateLogger(RequestTraces.HostingLog).IsEnabled(LogLevel.Critical));
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string method, string path, string traceParent)
    {
        using var request = new HttpRequestMessage(new(method), path);
        request.Headers.TryAddWithoutValidation("traceparent", traceParent);
        if (method == "POST")
        {
            request.Content = JsonContent.Create(new { });
        }

        return await client.SendAsync(request);
    }

    private static async Task<string> TraceOfAsync(HttpResponseMessage response) =>
        JsonNode.Parse(await response.Content.ReadAsStringAsync())!["traceId"]!.GetValue<string>();
}
