using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Gateway.Support;

/// <summary>Services as processes of their own, so that they can be killed.</summary>
internal static class Processes
{
    public const string OrdersLeaseKey = "lease-key-of-orders-in-tests";

    /// <summary>A gateway that shares its state directory with others; returns when it has a snapshot.</summary>
    public static async Task<ServiceProcess> StartGatewayAsync(TestCatalog catalog, string stateDirectory, params (string Key, string Value)[] settings)
    {
        var process = await ServiceProcess.StartAsync("OpenPlatform.Gateway.dll", Environment(GatewayHost.Settings(catalog.Address, stateDirectory).Concat(settings)));
        using var client = new HttpClient { BaseAddress = process.Address };
        await Eventually.TrueAsync(async () => (await client.GetAsync("/health", TestContext.Current.CancellationToken)).IsSuccessStatusCode, TimeSpan.FromSeconds(60));
        return process;
    }

    /// <summary>The sample backend with a lease as <paramref name="service"/>: a name of its own for each test, because the lease
    /// of a killed one outlives it for seconds.</summary>
    public static Task<ServiceProcess> StartOrdersAsync(string redis, string service) => ServiceProcess.StartAsync("Orders.dll", Environment(
    [
        ("ConnectionStrings:redis", redis), ("OpenPlatform:Leases:Service", service), ("OpenPlatform:Leases:Key", OrdersLeaseKey),
    ]));

    public static HttpClient Client(this ServiceProcess gateway) => new()
    {
        BaseAddress = gateway.Address,
        DefaultRequestHeaders = { { "X-Api-Key", TestSnapshot.Key } },
        Timeout = TimeSpan.FromSeconds(20),
    };

    public static Dictionary<string, string> Environment(IEnumerable<(string Key, string Value)> settings) =>
        settings.GroupBy(static s => s.Key.Replace(":", "__", StringComparison.Ordinal), static s => s.Value, StringComparer.Ordinal)
            .ToDictionary(static s => s.Key, static s => s.Last(), StringComparer.Ordinal);
}
