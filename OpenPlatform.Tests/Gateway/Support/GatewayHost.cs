using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenPlatform.Gateway;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Gateway.Support;

/// <summary>The gateway, whole, on a real port.</summary>
internal sealed class GatewayHost : WebApplicationFactory<GatewayApp>
{
    private readonly Dictionary<string, string> _settings = new(StringComparer.OrdinalIgnoreCase);
    private readonly TimeProvider? _time;
    private readonly bool _ownsState;

    private GatewayHost(Uri? catalog, TimeProvider? time, string? stateDirectory, IEnumerable<(string Key, string Value)> settings)
    {
        UseKestrel();
        _time = time;
        _ownsState = stateDirectory is null;
        StateDirectory = stateDirectory ?? Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
        foreach (var (key, value) in Settings(catalog, StateDirectory).Append(("OpenPlatform:Gateway:Drain:PropagationDelay", "00:00:00")).Concat(settings))
        {
            _settings[key] = value;
        }
    }

    public string StateDirectory { get; }

    public ActiveSnapshot Snapshot => Services.GetRequiredService<ActiveSnapshot>();

    /// <summary>What every gateway of the tests is told, in process or as a process of its own.</summary>
    public static IEnumerable<(string Key, string Value)> Settings(Uri? catalog, string stateDirectory) =>
    [
        ("urls", "http://127.0.0.1:0"),
        ("OpenPlatform:KeyPepper", TestSnapshot.Pepper),
        ("OpenPlatform:ServiceToken", TestCatalog.Token),
        ("OpenPlatform:StateDirectory", stateDirectory),
        ("OpenPlatform:Gateway:Snapshots:PollInterval", "00:00:00.2"),
        ("OpenPlatform:Gateway:Observability:AccessLog", "None"), // a test of it asks for it
        ("OpenPlatform:Gateway:Warmup:Requests", "0"),
        ("services:catalog:http:0", (catalog ?? new("http://127.0.0.1:9")).ToString()),
    ];

    public static async Task<GatewayHost> StartAsync(
        TestCatalog? catalog, TimeProvider? time = null, string? stateDirectory = null, bool untilReady = true, params (string Key, string Value)[] settings)
    {
        var host = new GatewayHost(catalog?.Address, time, stateDirectory, settings);
        host.StartServer();
        if (untilReady)
        {
            await Eventually.TrueAsync(() => host.Snapshot.Current is not null);
        }

        return host;
    }

    /// <summary>A client that follows nothing and keeps nothing, with a key unless told otherwise.</summary>
    public HttpClient Client(string? key = TestSnapshot.Key)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false })
        {
            BaseAddress = ClientOptions.BaseAddress,
            Timeout = TimeSpan.FromSeconds(20),
        };
        if (key is not null)
        {
            client.DefaultRequestHeaders.Add("X-Api-Key", key);
        }

        return client;
    }

    public override async ValueTask DisposeAsync()
    {
        // The factory does not wait for the host, which writes its last snapshot while it stops.
        var stopped = Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopped;
        await base.DisposeAsync();
        await Eventually.TrueAsync(() => stopped.IsCancellationRequested, TimeSpan.FromSeconds(40));
        if (_ownsState)
        {
            Directory.Delete(StateDirectory, recursive: true);
        }
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        foreach (var (key, value) in _settings)
        {
            builder.UseSetting(key, value);
        }

        builder.ConfigureLogging(static logging => logging.ClearProviders());
        builder.ConfigureTestServices(services =>
        {
            if (_time is not null)
            {
                services.AddSingleton(_time);
            }
        });
    }
}
