using System.Net;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Hosting.Dashboard;

/// <summary>The doors of the real dashboard.</summary>
public sealed class DashboardAccessTests
{
    private const string Span = """
        {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"orders"}}]},"scopeSpans":[{"scope":{"name":"test"},"spans":[
        {"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"051581bf3cb55c13","name":"GET /orders","kind":2,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000"}]}]}]}
        """;

    [Fact]
    public async Task Page_telemetry_and_telemetry_API_each_ask_for_their_key()
    {
        await using var run = await DashboardRun.StartAsync(_ => { });
        var url = run.Settings.Main.Url;
        Assert.Contains("/login", (await run.GetAsync(url)).Location, StringComparison.Ordinal);
        Assert.Contains("/login", (await run.GetAsync($"{url}/login?t=wrong")).Location, StringComparison.Ordinal);
        Assert.Equal("/", (await run.GetAsync(run.Settings.LoginUrl)).Location);

        Assert.Equal(401, await run.PostAsync($"{run.Settings.OtlpHttp.Url}/v1/traces", Span, null, null));
        Assert.Equal(200, await run.PostAsync($"{run.Settings.OtlpHttp.Url}/v1/traces", Span, "x-otlp-api-key", run.Settings.OtlpKey));

        Assert.Equal(401, (await run.GetAsync($"{url}/api/telemetry/spans")).Status);
        await Eventually.TrueAsync(async () => (await run.GetAsync($"{url}/api/telemetry/spans", "x-api-key", run.Settings.ApiKey)).Body.Contains("GET /orders", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Anonymous_access_opens_the_page_without_login()
    {
        await using var run = await DashboardRun.StartAsync(_ => { }, "--ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS=true");
        Assert.Equal((int)HttpStatusCode.OK, (await run.GetAsync(run.Settings.LoginUrl)).Status);
        Assert.Equal(200, await run.PostAsync($"{run.Settings.OtlpHttp.Url}/v1/traces", Span, null, null));
    }
}
