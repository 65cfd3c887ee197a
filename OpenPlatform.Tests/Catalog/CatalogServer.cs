using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenPlatform.Catalog;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>One database for a test class, with a catalog on it.</summary>
public sealed class CatalogFixture(SharedPostgres postgres) : IAsyncLifetime
{
    public string ConnectionString { get; private set; } = "";

    internal CatalogServer Catalog { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        ConnectionString = await postgres.CreateDatabaseAsync();
        Catalog = new(ConnectionString);
        await Catalog.ReadyAsync();
    }

    public ValueTask DisposeAsync() => Catalog.DisposeAsync();
}

/// <summary>A catalog on Kestrel at a random port, and what its callers do.</summary>
internal sealed class CatalogServer : WebApplicationFactory<CatalogApp>
{
    public const string AdminToken = "admin-token-of-the-tests";
    public const string ServiceToken = "service-token-of-the-tests";
    public const string Pepper = "pepper-of-the-tests";
    public const string EnvelopeKey = "b3BlbnBsYXRmb3JtLWVudmVsb3BlLWtleS10ZXN0cyE=";

    private readonly Dictionary<string, string?> _settings;
    private readonly string _environment;

    /// <param name="settings">Replace or add configuration; null takes away.</param>
    public CatalogServer(string connectionString, string environment = "Production", params (string Key, string? Value)[] settings)
    {
        _environment = environment;
        _settings = new(StringComparer.Ordinal)
        {
            ["ConnectionStrings:catalogdb"] = connectionString,
            // Nobody listens there: Redis is away unless a test says otherwise.
            ["ConnectionStrings:redis"] = "127.0.0.1:1,password=none",
            ["OpenPlatform:AdminToken"] = AdminToken,
            ["OpenPlatform:ServiceToken"] = ServiceToken,
            ["OpenPlatform:KeyPepper"] = Pepper,
            ["OpenPlatform:EnvelopeKey"] = EnvelopeKey,
        };
        foreach (var (key, value) in settings)
        {
            _settings[key] = value;
        }

        // Not UseKestrel(0): it sets the port after the host is built, and the service's own Run may have begun to listen by then.
        UseKestrel();
    }

    public LogLines Logs { get; } = new();

    /// <summary>Null: the clock of the system.</summary>
    public TimeProvider? Time { get; init; }

    /// <summary>Waits until it is healthy.</summary>
    public async Task ReadyAsync()
    {
        using var client = Anonymous();
        try
        {
            await Eventually.TrueAsync(async () => await HealthAsync(client) == HttpStatusCode.OK, TimeSpan.FromSeconds(30));
        }
        catch (HttpRequestException exception)
        {
            throw new InvalidOperationException("The catalog ended:\n" + Logs.All, exception);
        }
    }

    /// <summary>Status of <c>/health</c>.</summary>
    public static async Task<HttpStatusCode> HealthAsync(HttpClient client)
    {
        using var response = await client.GetAsync("/health");
        return response.StatusCode;
    }

    public HttpClient Anonymous()
    {
        StartServer();
        var addresses = Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        return new() { BaseAddress = new Uri(addresses.Single()) };
    }

    public HttpClient Operator() => WithToken(AdminToken);

    public HttpClient Gateway() => WithToken(ServiceToken);

    public async Task<Snapshot> SnapshotAsync()
    {
        using var client = Gateway();
        return JsonSerializer.Deserialize(await client.GetByteArrayAsync(InternalApi.SnapshotPath), SnapshotJson.Default.Snapshot)!;
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseEnvironment(_environment);
        builder.UseUrls("http://127.0.0.1:0");
        foreach (var (key, value) in _settings.Where(static setting => setting.Value is not null))
        {
            builder.UseSetting(key, value);
        }

        builder.ConfigureServices(services =>
        {
            services.AddLogging(logging => logging.AddProvider(Logs));
            if (Time is not null)
            {
                services.AddSingleton(Time);
            }
        });
    }

    private HttpClient WithToken(string token)
    {
        var client = Anonymous();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }
}

/// <summary>Short forms of what the tests send and read.</summary>
internal static partial class AdminCalls
{
    public static async Task<JsonObject> CreateAsync(this HttpClient admin, string collection, object body)
    {
        using var response = await admin.PostAsJsonAsync($"/admin/v1/{collection}", body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.Created, $"{collection}: {(int)response.StatusCode} {text}");
        return JsonNode.Parse(text)!.AsObject();
    }

    public static string Id(this JsonNode resource) => resource["id"]!.GetValue<string>();

    public static async Task<HttpResponseMessage> ActAsync(this HttpClient admin, string path, string? ifMatch, object? body = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/v1/" + path) { Content = body is null ? null : JsonContent.Create(body) };
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        return await admin.SendAsync(request);
    }

    public static Task<HttpResponseMessage> PatchAsync(this HttpClient admin, string path, string ifMatch, object patch) => admin.ChangeAsync(HttpMethod.Patch, path, ifMatch, patch);

    public static Task<HttpResponseMessage> DeleteAsync(this HttpClient admin, string path, string ifMatch) => admin.ChangeAsync(HttpMethod.Delete, path, ifMatch, null);

    private static async Task<HttpResponseMessage> ChangeAsync(this HttpClient admin, HttpMethod method, string path, string ifMatch, object? patch)
    {
        using var request = new HttpRequestMessage(method, "/admin/v1/" + path);
        request.Content = patch is null ? null : JsonContent.Create(patch, new MediaTypeHeaderValue("application/merge-patch+json"));
        request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return await admin.SendAsync(request);
    }

    public static async Task<JsonObject> JsonAsync(this HttpResponseMessage response) =>
        JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();

    /// <summary>The path of an endpoint with ids of what is there, the first of each list on the way.</summary>
    public static async Task<string> FillAsync(this HttpClient admin, string path)
    {
        var filled = path;
        while (PathParameter().Match(filled) is { Success: true } parameter)
        {
            var collection = filled[..parameter.Index].TrimEnd('/');
            var items = JsonNode.Parse(await admin.GetStringAsync(collection))!["items"]!.AsArray();
            Assert.True(items.Count > 0, $"Nothing is in {collection}.");
            filled = collection + "/" + items[0]!.Id() + filled[(parameter.Index + parameter.Length)..];
        }

        return filled;
    }

    /// <summary>Checks that it is a problem, complete and of this status, and gives its pointers.</summary>
    public static async Task<string[]> ProblemAsync(this HttpResponseMessage response, HttpStatusCode status)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(status == response.StatusCode, $"{(int)response.StatusCode} {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonNode.Parse(text)!;
        Assert.Equal((int)status, problem["status"]!.GetValue<int>());
        Assert.StartsWith("urn:openplatform:problem:", problem["type"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.NotEqual("", problem["title"]!.GetValue<string>());
        Assert.Matches("^[0-9a-f]{32}$", problem["traceId"]!.GetValue<string>());
        return [.. (problem["errors"]?.AsArray() ?? []).Select(static error => error!["pointer"]!.GetValue<string>())];
    }

    [GeneratedRegex(@"\{[^}]+\}", RegexOptions.NonBacktracking)]
    private static partial Regex PathParameter();
}

/// <summary>Everything that was logged, as text.</summary>
internal sealed class LogLines : ILoggerProvider, ILogger
{
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> _lines = new();

    public string All => string.Join('\n', _lines);

    public int Count => _lines.Count;

    public string Since(int count) => string.Join('\n', _lines.Skip(count));

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}");

    public void Dispose()
    {
    }
}
