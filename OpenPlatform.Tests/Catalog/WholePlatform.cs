using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>Postgres, Redis, a catalog, a gateway and one instance of the Orders sample, registered by its lease: each a process of its own.</summary>
public sealed class WholePlatform(SharedPostgres postgres) : IAsyncLifetime
{
    private const string OrdersLeaseKey = "lease-key-of-the-orders";
    private const string GatewayLeaseKey = "lease-key-of-the-gateways";

    private readonly RedisServerFixture _redis = new();
    private readonly string _state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
    private readonly List<ServiceProcess> _processes = [];

    /// <summary>Where operators call.</summary>
    public Uri Catalog { get; private set; } = null!;

    /// <summary>Where partners call.</summary>
    public Uri Gateway { get; private set; } = null!;

    /// <summary>The instance of Orders that is there from the beginning.</summary>
    public ServiceProcess Orders { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await _redis.StartAsync();
        var catalog = await AddAsync("OpenPlatform.Catalog.dll", new()
        {
            ["ConnectionStrings__catalogdb"] = await postgres.CreateDatabaseAsync(), ["OpenPlatform__AdminToken"] = CatalogServer.AdminToken,
            ["OpenPlatform__Usage__RollUpInterval"] = "00:00:01",
        });
        Catalog = catalog.Address;
        var gateway = await AddAsync("OpenPlatform.Gateway.dll", new()
        {
            ["OpenPlatform__StateDirectory"] = _state, ["services__catalog__http__0"] = Catalog.ToString(), ["OTEL_SERVICE_NAME"] = "gateway",
            ["OpenPlatform__Leases__Key"] = GatewayLeaseKey, ["OpenPlatform__Leases__Keys__gateway"] = GatewayLeaseKey, ["OpenPlatform__Leases__Keys__orders"] = OrdersLeaseKey,
            ["OpenPlatform__Gateway__Observability__AccessLog"] = "None",
        });
        Gateway = gateway.Address;
        Orders = await AddInstanceAsync();
    }

    /// <summary>Another instance of Orders.</summary>
    public Task<ServiceProcess> AddInstanceAsync() => AddAsync("Orders.dll", new() { ["OTEL_SERVICE_NAME"] = "orders", ["OpenPlatform__Leases__Key"] = OrdersLeaseKey });

    /// <summary>An operator's client, once the catalog is ready.</summary>
    public async Task<HttpClient> OperatorAsync()
    {
        var client = new HttpClient { BaseAddress = Catalog, DefaultRequestHeaders = { Authorization = new("Bearer", CatalogServer.AdminToken) } };
        await Eventually.TrueAsync(async () => await CatalogServer.HealthAsync(client) == System.Net.HttpStatusCode.OK, TimeSpan.FromSeconds(60));
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_processes))
        {
            await process.DisposeAsync();
        }

        await _redis.DisposeAsync();
        Directory.Delete(_state, recursive: true);
    }

    private async Task<ServiceProcess> AddAsync(string assembly, Dictionary<string, string> settings)
    {
        settings["ConnectionStrings__redis"] = _redis.ConnectionString;
        settings["OpenPlatform__ServiceToken"] = CatalogServer.ServiceToken;
        settings["OpenPlatform__KeyPepper"] = CatalogServer.Pepper;
        settings["OpenPlatform__EnvelopeKey"] = CatalogServer.EnvelopeKey;
        var process = await ServiceProcess.StartAsync(assembly, settings);
        _processes.Add(process);
        return process;
    }
}
