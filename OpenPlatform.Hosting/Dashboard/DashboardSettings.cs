using System.Security.Cryptography;
using Aspire.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using OpenPlatform.Hosting.Orchestration;

namespace OpenPlatform.Hosting.Dashboard;

/// <summary>Addresses and keys of this run's dashboard, from the settings that Aspire has for them.</summary>
internal sealed class DashboardSettings
{
    internal const string DefaultUrl = "http://localhost:18888";
    private const string UrlSetting = "ASPNETCORE_URLS", OtlpGrpcSetting = "ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", OtlpHttpSetting = "ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL",
        ResourceServiceSetting = "ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", AnonymousSetting = "ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS", BrowserTokenSetting = "AppHost:BrowserToken",
        BrowserTokenVariable = "ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN";

    private readonly List<(DashboardAddress Address, string Setting)> _fixed = [];

    /// <exception cref="DistributedApplicationException">A setting is no address; the message names it.</exception>
    public DashboardSettings(IConfiguration configuration, HostingOptions options)
    {
        Frontend = [.. (configuration[UrlSetting] is { Length: > 0 } urls ? urls : DefaultUrl)
            .Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(url => Address(url, UrlSetting))];
        OtlpGrpc = Address(configuration[OtlpGrpcSetting], OtlpGrpcSetting);
        OtlpHttp = Address(configuration[OtlpHttpSetting], OtlpHttpSetting);
        // Only the port counts: the service is for this AppHost's own dashboard, on loopback, and without TLS.
        ResourceServicePort = configuration[ResourceServiceSetting] is { Length: > 0 } service && !options.RandomizePorts ? Parse(service, ResourceServiceSetting).Port : 0;

        ResourceServiceKey = configuration["ASPIRE_DASHBOARD_RESOURCESERVICE_APIKEY"] is { Length: > 0 } key ? key : NewKey();
        if (!IsTrue(configuration[AnonymousSetting]))
        {
            BrowserToken = First(BrowserTokenSetting, BrowserTokenVariable) ?? NewKey();
            // What is said for this run before what a run on Aspire's own packages has kept in the user secrets.
            OtlpKey = First("ASPIRE_DASHBOARD_OTLP_APIKEY", "AppHost:OtlpApiKey") ?? NewKey();
            ApiKey = First("ASPIRE_DASHBOARD_API_KEY", "AppHost:DashboardApiKey") ?? NewKey();
        }
        ShowResource = IsTrue(configuration["ASPIRE_SHOW_DASHBOARD_RESOURCES"]);
        PassedOn = configuration.AsEnumerable()
            .Where(s => s.Key.StartsWith("ASPIRE_DASHBOARD_", StringComparison.OrdinalIgnoreCase) && s.Value is not null)
            .ToDictionary(s => s.Key, s => s.Value!, StringComparer.OrdinalIgnoreCase);

        string? First(params string[] names) => names.Select(n => configuration[n]).FirstOrDefault(v => !string.IsNullOrEmpty(v));

        DashboardAddress Address(string? url, string setting)
        {
            var address = Parse(url is { Length: > 0 } ? url : "http://127.0.0.1:0", setting);
            if (options.RandomizePorts || address.Port == 0)
            {
                return address with { Port = Ports.Free() };
            }
            _fixed.Add((address, setting));
            return address;
        }
    }

    /// <summary>Puts a token for this run into the configuration where nobody gave one, as Aspire does: programs put the login address together from it.</summary>
    internal static void ChooseBrowserToken(IConfigurationManager configuration)
    {
        if (!IsTrue(configuration[AnonymousSetting]) && string.IsNullOrEmpty(configuration[BrowserTokenSetting]))
        {
            var given = configuration[BrowserTokenVariable];
            configuration.AddInMemoryCollection([new(BrowserTokenSetting, string.IsNullOrEmpty(given) ? NewKey() : given)]);
        }
    }

    /// <summary>Where people open it; at least one.</summary>
    internal IReadOnlyList<DashboardAddress> Frontend { get; }
    internal DashboardAddress OtlpGrpc { get; }
    internal DashboardAddress OtlpHttp { get; }
    /// <summary>0: any free one.</summary>
    internal int ResourceServicePort { get; }

    /// <summary>Null when anybody may look; the same for the next two.</summary>
    internal string? BrowserToken { get; }
    internal string? OtlpKey { get; }
    /// <summary>Of the telemetry API, header <c>x-api-key</c>.</summary>
    internal string? ApiKey { get; }
    internal string ResourceServiceKey { get; }

    internal bool ShowResource { get; }
    /// <summary>Settings that the dashboard itself understands.</summary>
    internal IReadOnlyDictionary<string, string> PassedOn { get; }

    /// <summary>The address to tell people: https where there is one.</summary>
    internal DashboardAddress Main => Frontend.FirstOrDefault(a => a.IsHttps) ?? Frontend[0];
    internal string LoginUrl => BrowserToken is null ? Main.Url : $"{Main.Url}/login?t={BrowserToken}";
    /// <summary>One that needs a certificate, or null.</summary>
    internal DashboardAddress? HttpsAddress => Frontend.Append(OtlpGrpc).Append(OtlpHttp).FirstOrDefault(a => a.IsHttps);

    /// <exception cref="DistributedApplicationException">A fixed port is taken; the message names it and how to change it.</exception>
    internal void CheckPorts()
    {
        foreach (var (address, setting) in _fixed)
        {
            if (!Ports.IsFree(address.Port))
            {
                throw new DistributedApplicationException(
                    $"The dashboard cannot listen on {address.Url}: {Ports.DescribeHolder(address.Port)} has port {address.Port}. End it, or choose another address, " +
                    // An argument, because the launch profile's address overrides the environment.
                    $"e.g. with the argument --{setting}={address.Scheme}://{address.Host}:{Ports.Free()}");
            }
        }
    }

    private static DashboardAddress Parse(string url, string setting)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            if (address.Scheme is "http" or "https" && address.Port is >= 0 and <= 65535 && !address.IsUnixPipe && !address.IsNamedPipe)
            {
                return new(address.Scheme, address.Host, address.Port);
            }
        }
        catch (FormatException)
        {
            // The same as an address of a kind we do not know.
        }
        throw new DistributedApplicationException($"{setting} has '{url}', which is no address like {DefaultUrl}.");
    }

    private static string NewKey() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private static bool IsTrue(string? value) => value is "1" || string.Equals(value, "true", StringComparison.OrdinalIgnoreCase);
}

/// <param name="Host">What to listen on: a name, an address, or <c>*</c>.</param>
internal sealed record DashboardAddress(string Scheme, string Host, int Port)
{
    internal bool IsHttps => Scheme == "https";
    internal string Listen => $"{Scheme}://{Host}:{Port}";
    /// <summary>An address to go to: whoever listens everywhere is found at localhost too.</summary>
    internal string Url => $"{Scheme}://{(Host is "*" or "+" or "0.0.0.0" or "[::]" ? "localhost" : Host)}:{Port}";
}
