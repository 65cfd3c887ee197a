using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenPlatform.ServiceDefaults.Instances;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.ServiceDefaults.Discovery;

/// <summary>Calls by name through an HttpClient, as a service that uses the defaults makes them.</summary>
public sealed class ServiceDiscoveryTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Requests_go_to_the_configured_endpoints_in_turn()
    {
        await using var a = await StubServer.StartAsync("a");
        await using var b = await StubServer.StartAsync("b");
        using var host = Build(("services:catalog:http:0", a.Address.ToString()), ("services:catalog:http:1", b.Address.ToString()));
        using var http = Client(host);
        var answers = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            answers.Add(await http.GetStringAsync("http://catalog/x", Stop));
        }

        Assert.Equal(3, answers.Count(answer => answer == "a"));
        Assert.Equal(3, answers.Count(answer => answer == "b"));
    }

    [Fact]
    public async Task Https_is_preferred_and_http_taken_when_there_is_nothing_else()
    {
        await using var plain = await StubServer.StartAsync("plain");
        using var host = Build(("services:catalog:http:0", plain.Address.ToString()));
        using var http = Client(host);
        Assert.Equal("plain", await http.GetStringAsync("https+http://catalog", Stop));
    }

    [Fact]
    public async Task A_named_endpoint_is_found_by_its_name()
    {
        await using var admin = await StubServer.StartAsync("admin");
        await using var open = await StubServer.StartAsync("open");
        using var host = Build(("services:catalog:http:0", open.Address.ToString()), ("services:catalog:admin:0", admin.Address.ToString()));
        using var http = Client(host);
        Assert.Equal("admin", await http.GetStringAsync("http://_admin.catalog", Stop));
        Assert.Equal("open", await http.GetStringAsync("http://catalog", Stop));
    }

    [Fact]
    public async Task An_address_without_a_scheme_and_a_single_value_are_enough()
    {
        await using var server = await StubServer.StartAsync("bare");
        using var host = Build(("services:catalog:default", server.HostAndPort));
        using var http = Client(host);
        Assert.Equal("bare", await http.GetStringAsync("http://catalog", Stop));
    }

    [Fact]
    public async Task Path_and_query_survive_and_a_base_path_of_the_endpoint_comes_first()
    {
        await using var echo = await StubServer.StartAsync(async context =>
            await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, context.Request.Path + context.Request.QueryString));
        using var host = Build(("services:catalog:http:0", new Uri(echo.Address, "/base").ToString()));
        using var http = Client(host);
        Assert.Equal("/base/a%20b/c?d=e", await http.GetStringAsync("http://catalog/a%20b/c?d=e", Stop));
    }

    [Fact]
    public async Task An_ordinary_url_goes_where_it_says()
    {
        await using var server = await StubServer.StartAsync("plain");
        using var host = Build();
        using var http = Client(host);
        Assert.Equal("plain", await http.GetStringAsync(server.Address, Stop));
        Assert.Equal("plain", await http.GetStringAsync(new UriBuilder(server.Address) { Host = "localhost" }.Uri, Stop));
    }

    [Fact]
    public async Task A_change_of_configuration_moves_the_traffic()
    {
        await using var before = await StubServer.StartAsync("before");
        await using var after = await StubServer.StartAsync("after");
        using var host = Build(("services:catalog:http:0", before.Address.ToString()));
        using var http = Client(host);
        Assert.Equal("before", await http.GetStringAsync("http://catalog", Stop));
        var configuration = (IConfigurationRoot)host.Services.GetRequiredService<IConfiguration>();
        configuration["services:catalog:http:0"] = after.Address.ToString();
        configuration.Reload();
        await Eventually.TrueAsync(async () => await http.GetStringAsync("http://catalog", Stop) == "after");
    }

    [Fact]
    public async Task A_dead_endpoint_costs_no_safe_request_because_the_retry_asks_for_another()
    {
        await using var alive = await StubServer.StartAsync("alive");
        var dead = await StubServer.StartAsync("dead");
        var deadAddress = dead.Address.ToString();
        await dead.DisposeAsync();
        using var host = Build(("services:catalog:http:0", alive.Address.ToString()), ("services:catalog:http:1", deadAddress));
        using var http = Client(host);
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal("alive", await http.GetStringAsync("http://catalog", Stop));
        }
    }

    [Fact]
    public async Task Leases_come_first_drain_out_and_an_empty_registry_changes_nothing()
    {
        await using var configured = await StubServer.StartAsync("configured");
        await using var leased = await StubServer.StartAsync("leased");
        var registry = new ScriptedRegistry();
        using var host = Build(
            builder =>
            {
                builder.Services.AddSingleton<ILeaseRegistry>(registry);
                builder.AddLeaseRegistry();
                builder.Services.AddLeaseServiceEndpointProvider();
            },
            ("services:orders:http:0", configured.Address.ToString()),
            ("OpenPlatform:Leases:Keys:orders", "a key of more than 16 bytes"));
        using var http = Client(host);

        Assert.Equal("configured", await http.GetStringAsync("http://orders", Stop));

        registry.Set(new InstanceLease("orders", "1", leased.Address, null, 100, InstanceStatus.Ready, DateTimeOffset.MaxValue));
        await Eventually.TrueAsync(async () => await http.GetStringAsync("http://orders", Stop) == "leased");

        registry.Set();
        registry.Failing = true;
        var asked = registry.Reads;
        await Eventually.TrueAsync(() => registry.Reads >= asked + 2);
        Assert.Equal("leased", await http.GetStringAsync("http://orders", Stop));
    }

    private static IHost Build(params (string Key, string Value)[] settings) => Build(_ => { }, settings);

    private static IHost Build(Action<IHostApplicationBuilder> configure, params (string Key, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        foreach (var (key, value) in settings)
        {
            builder.Configuration[key] = value;
        }

        builder.AddServiceDefaults();
        builder.Services.ConfigureHttpClientDefaults(http => http.ConfigureHttpClient(client => client.DefaultRequestVersion = new Version(1, 1)));
        builder.Services.ConfigureAll<Microsoft.Extensions.Http.Resilience.HttpStandardResilienceOptions>(options => options.Retry.Delay = TimeSpan.FromMilliseconds(1));
        configure(builder);
        return builder.Build();
    }

    private static HttpClient Client(IHost host) => host.Services.GetRequiredService<IHttpClientFactory>().CreateClient("test");

    /// <summary>A registry whose content a test sets; the real one is tested against real servers.</summary>
    private sealed class ScriptedRegistry : ILeaseRegistry
    {
        private volatile InstanceLease[] _leases = [];
        private Action<string>? _onChange;
        private int _reads;

        public volatile bool Failing;

        public int Reads => Volatile.Read(ref _reads);

        public void Set(params InstanceLease[] leases)
        {
            _leases = leases;
            _onChange?.Invoke("orders");
        }

        public ValueTask<IReadOnlyList<InstanceLease>> ReadAsync(string service, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            return Failing && Reads % 2 == 0 ? throw new RedisUnavailableException("away") : ValueTask.FromResult<IReadOnlyList<InstanceLease>>(_leases);
        }

        public IDisposable Subscribe(Action<string> onChange)
        {
            _onChange = onChange;
            return new CancellationTokenSource();
        }
    }
}
