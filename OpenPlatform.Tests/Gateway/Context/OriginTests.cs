using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Context;

/// <summary>Who called, when there are proxies in front of the gateway.</summary>
public sealed class OriginTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("10.0.0.1", "203.0.113.7", "203.0.113.7")]
    [InlineData("10.0.0.1", "203.0.113.7:4711", "203.0.113.7")]
    [InlineData("10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7")]             // the left one is what the client said itself
    [InlineData("10.0.0.1", "203.0.113.7, 10.2.3.4, 10.0.0.2", "203.0.113.7")]       // through two proxies more
    [InlineData("10.0.0.1", "2001:db8::1", "2001:db8::1")]
    [InlineData("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1")]
    [InlineData("10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7")]
    [InlineData("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7")]
    [InlineData("10.0.0.1", "203.0.113.7, unknown, 10.0.0.2", "10.0.0.2")]           // the chain ends at what is no address
    [InlineData("10.0.0.1", "1", "10.0.0.1")]
    [InlineData("10.0.0.1", "", "10.0.0.1")]
    [InlineData("10.0.0.1", ",,", "10.0.0.1")]
    [InlineData("192.0.2.1", "203.0.113.7", "192.0.2.1")]                            // not a trusted proxy
    public void The_client_is_the_nearest_address_that_is_no_trusted_proxy(string peer, string chain, string client)
    {
        Assert.Equal(client, Read(ProxyField.XForwardedFor, peer, ("X-Forwarded-For", chain)).AddressText);
        var elements = chain.Split(',').Select(static hop => hop.Contains(':', StringComparison.Ordinal) ? $"for=\"{Bracketed(hop.Trim())}\"" : $"for={hop.Trim()}");
        Assert.Equal(client, Read(ProxyField.Forwarded, peer, ("Forwarded", string.Join(", ", elements))).AddressText);
    }

    [Fact]
    public void Only_the_chosen_field_is_believed()
    {
        Assert.Equal("10.0.0.1", Read(ProxyField.XForwardedFor, "10.0.0.1", ("Forwarded", "for=203.0.113.7")).AddressText);
        Assert.Equal("10.0.0.1", Read(ProxyField.Forwarded, "10.0.0.1", ("X-Forwarded-For", "203.0.113.7")).AddressText);
    }

    [Fact]
    public void Scheme_and_host_are_those_of_the_nearest_proxy_when_they_are_well_formed()
    {
        Assert.Equal(new(IPAddress.Parse("203.0.113.7"), "https", "api.example:8443"), Read(ProxyField.XForwardedFor, "10.0.0.1",
            ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "http, https"), ("X-Forwarded-Host", "evil.example, api.example:8443")));
        Assert.Equal(new(IPAddress.Parse("203.0.113.7"), "https", "api.example"), Read(ProxyField.Forwarded, "10.0.0.1",
            ("Forwarded", "for=1.2.3.4;host=evil.example, For=203.0.113.7;Proto=https;Host=\"api.example\"")));
        Assert.Equal(new(IPAddress.Parse("203.0.113.7"), "http", "own.example"), Read(ProxyField.XForwardedFor, "10.0.0.1",
            ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "a\";for=1.2.3.4")));
    }

    [Fact]
    public void A_range_that_is_none_stops_the_start_with_the_name_of_the_setting()
    {
        var result = new ContextOptionsValidator().Validate(null, new ContextOptions { TrustedProxies = { "10.0.0.0/8", "::1", "10.0.0.0/33" } });
        Assert.Contains("OpenPlatform:Gateway:Context:TrustedProxies:2", Assert.Single(result.Failures!), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backend_hears_of_the_client_behind_a_trusted_proxy_and_of_its_trace()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Context:TrustedProxies:0", "127.0.0.0/8"));
        using var client = gateway.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/orders/v1/orders");
        request.Headers.Add("X-Forwarded-For", "6.6.6.6, 2001:db8::7");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("X-Forwarded-Host", "api.example");
        request.Headers.Add("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        request.Headers.Add("tracestate", "vendor=1");
        using var response = await client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);

        var headers = Assert.Single(backend.Requests).Headers;
        Assert.Equal("2001:db8::7", headers["X-Forwarded-For"]);
        Assert.Equal("https", headers["X-Forwarded-Proto"]);
        Assert.Equal("api.example", headers["X-Forwarded-Host"]);
        Assert.Equal("for=\"[2001:db8::7]\";proto=https;host=\"api.example\"", headers["Forwarded"]);
        Assert.StartsWith("00-4bf92f3577b34da6a3ce929d0e0e4736-", headers["traceparent"], StringComparison.Ordinal);
        Assert.Equal("vendor=1", headers["tracestate"]);
    }

    [Fact]
    public async Task Nobody_is_believed_because_a_variable_of_the_framework_says_so()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([backend.Address]));
        // ASPNETCORE_FORWARDEDHEADERS_ENABLED, which Aspire sets: the word of whoever calls would replace the connection's address.
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("ForwardedHeaders_Enabled", "true"));
        using var client = gateway.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/orders/v1/orders");
        request.Headers.Add("X-Forwarded-For", "6.6.6.6");
        request.Headers.Add("X-Forwarded-Proto", "https");
        using var response = await client.SendAsync(request, Stop);

        var headers = Assert.Single(backend.Requests).Headers;
        Assert.Equal("127.0.0.1", headers["X-Forwarded-For"]);
        Assert.Equal("http", headers["X-Forwarded-Proto"]);
    }

    private static Origin Read(ProxyField field, string peer, params (string Name, string Value)[] headers)
    {
        var context = new DefaultHttpContext { Connection = { RemoteIpAddress = IPAddress.Parse(peer) }, Request = { Scheme = "http", Host = new("own.example") } };
        foreach (var (name, value) in headers)
        {
            context.Request.Headers[name] = value;
        }

        return new OriginReader(Options.Create(new ContextOptions { ProxyField = field, TrustedProxies = { "10.0.0.0/8" } })).Read(context);
    }

    private static string Bracketed(string hop) => hop.StartsWith('[') || hop.Count(static c => c == ':') == 1 ? hop : $"[{hop}]";
}
