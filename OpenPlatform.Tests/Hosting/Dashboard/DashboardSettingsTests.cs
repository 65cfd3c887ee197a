using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Microsoft.Extensions.Configuration;
using OpenPlatform.Hosting;
using OpenPlatform.Hosting.Dashboard;

namespace OpenPlatform.Tests.Hosting.Dashboard;

/// <summary>Where the dashboard is and who may use it, by Aspire's settings.</summary>
public sealed class DashboardSettingsTests
{
    [Fact]
    public void Without_settings_it_is_at_18888_and_asks_for_a_token_that_is_new_each_time()
    {
        var settings = Read();
        Assert.Equal("http://localhost:18888", settings.Main.Url);
        Assert.Matches("^http://localhost:18888/login\\?t=[0-9a-f]{32}$", settings.LoginUrl);
        Assert.NotEqual(settings.BrowserToken, Read().BrowserToken);
        Assert.NotEqual(settings.OtlpKey, Read().OtlpKey);
        Assert.Equal("127.0.0.1", settings.OtlpGrpc.Host);
        Assert.NotEqual(settings.OtlpGrpc.Port, settings.OtlpHttp.Port);
    }

    [Fact]
    public void The_launch_profile_and_the_settings_of_Aspire_decide()
    {
        var settings = Read(("ASPNETCORE_URLS", "https://localhost:17001;http://*:15001"), ("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "http://localhost:21001"),
            ("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", "https://localhost:22001"), ("ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN", "letmein"), ("ASPIRE_DASHBOARD_API_KEY", "api"));
        Assert.Equal("https://localhost:17001/login?t=letmein", settings.LoginUrl);
        Assert.Equal("http://*:15001", settings.Frontend[1].Listen);
        Assert.Equal("http://localhost:15001", settings.Frontend[1].Url);
        Assert.Equal(("http://localhost:21001", 22001, "api"), (settings.OtlpGrpc.Url, settings.ResourceServicePort, settings.ApiKey));
        Assert.Equal("https://localhost:17001", settings.HttpsAddress?.Url);
    }

    /// <summary>Aspire's own packages keep keys of the dashboard in the user secrets, where a later run of ours finds them.</summary>
    [Fact]
    public void A_key_that_is_said_for_this_run_comes_before_one_that_was_kept()
    {
        var settings = Read(("AppHost:DashboardApiKey", "kept"), ("ASPIRE_DASHBOARD_API_KEY", "said"), ("AppHost:OtlpApiKey", "kept"), ("ASPIRE_DASHBOARD_OTLP_APIKEY", "said"));
        Assert.Equal(("said", "said"), (settings.ApiKey, settings.OtlpKey));
    }

    [Fact]
    public void Anybody_may_look_only_when_that_is_asked_for()
    {
        var settings = Read(("ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS", "true"));
        Assert.Equal((null, null, null), (settings.BrowserToken, settings.OtlpKey, settings.ApiKey));
        Assert.NotEmpty(settings.ResourceServiceKey);
        Assert.Equal(settings.Main.Url, settings.LoginUrl);
    }

    [Theory]
    [InlineData("ASPNETCORE_URLS", "localhost:5000")]
    [InlineData("ASPNETCORE_URLS", "ftp://localhost:5000")]
    [InlineData("ASPNETCORE_URLS", "http://unix:/tmp/s")]
    [InlineData("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", "nonsense")]
    [InlineData("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", "nonsense")]
    public void What_is_no_address_is_named(string name, string value)
    {
        var error = Assert.Throws<DistributedApplicationException>(() => Read((name, value)));
        Assert.StartsWith($"{name} has '{value}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_taken_port_is_an_error_that_says_by_whom_and_what_to_do()
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        var port = ((IPEndPoint)holder.LocalEndpoint).Port;
        var error = Assert.Throws<DistributedApplicationException>(Read(("ASPNETCORE_URLS", $"http://localhost:{port}")).CheckPorts);
        Assert.Contains($"http://localhost:{port}", error.Message, StringComparison.Ordinal);
        Assert.Contains(OperatingSystem.IsLinux() ? $"process {Environment.ProcessId}" : "another process", error.Message, StringComparison.Ordinal);
        Assert.Matches("ASPNETCORE_URLS=http://localhost:[0-9]+", error.Message);
    }

    [Fact]
    public void An_https_address_without_a_development_certificate_says_how_to_get_one()
    {
        var folder = Directory.CreateTempSubdirectory("certificate");
        try
        {
            // Long before any certificate of this machine was valid.
            var error = Assert.Throws<DistributedApplicationException>(() => DevelopmentCertificate.Export(folder.FullName, "https://localhost:17001", DateTimeOffset.UnixEpoch));
            Assert.Contains("https://localhost:17001", error.Message, StringComparison.Ordinal);
            Assert.Contains("dotnet dev-certs https --trust", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static DashboardSettings Read(params (string Name, string Value)[] settings) =>
        new(new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(s => s.Name, s => (string?)s.Value)).Build(), new HostingOptions());
}
