using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Npgsql;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog.Usage;

/// <summary>
/// The catalog, Postgres, Redis and gateways are killed (SIGKILL) one after the other, in an order that a seed decides, while callers call. Afterwards
/// the units billed are the answers served, in the database and as the admin API tells them. <c>OPENPLATFORM_KILLS</c> sets how many,
/// <c>OPENPLATFORM_SEED</c> repeats a run.
/// </summary>
[Collection(Beside.Name)]
public sealed class KillTests(RedisServerFixture redis, ITestOutputHelper output) : IClassFixture<RedisServerFixture>, IAsyncLifetime
{
    private const int Callers = 4;
    private const int AnswersBetweenKills = 150;

    private readonly string _state = Directory.CreateTempSubdirectory("openplatform-gateway-").FullName;
    private readonly int _catalogPort = FreePort.Next();
    private readonly ServiceProcess[] _gateways = new ServiceProcess[2];
    private PostgresServer _postgres = null!;
    private string _database = "";
    private ServiceProcess _catalog = null!;
    private TestBackend _backend = null!;
    private readonly ConcurrentDictionary<Uri, bool> _killed = new();
    private long _answered;
    private long _unanswered;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _postgres = await PostgresServer.StartNewAsync();
        _database = await _postgres.CreateDatabaseAsync();
        _backend = await TestBackend.StartAsync();
        _catalog = await StartCatalogAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var gateway in _gateways.Where(static gateway => gateway is not null))
        {
            await gateway.DisposeAsync();
        }

        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
        await _postgres.DisposeAsync();
        Directory.Delete(_state, recursive: true);
    }

    [Fact]
    public async Task Catalog_Postgres_and_Redis_killed_under_load_units_billed_are_exactly_the_answers_served()
    {
        var (answered, unanswered, billed, _) = await KillUnderLoadAsync("catalog", "Postgres", "Redis");
        Assert.Equal((answered, 0), (billed, unanswered));
    }

    /// <summary>A request that a gateway had answered when it was killed counts, also when its answer did not arrive whole. Nothing else may differ.</summary>
    [Fact]
    public async Task Whatever_is_killed_under_load_units_billed_are_answers_served()
    {
        var (answered, unanswered, billed, victims) = await KillUnderLoadAsync("gateway", "catalog", "Postgres", "Redis");
        Assert.InRange(billed, answered, answered + unanswered);
        // A caller has one request under way.
        Assert.True(unanswered <= Callers * victims.Count(static victim => victim == "gateway"), $"{unanswered} without an answer");
    }

    private async Task<(long Answered, long Unanswered, long Billed, string[] Victims)> KillUnderLoadAsync(params string[] victims)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "Needs signals.");
        var kills = int.Parse(Environment.GetEnvironmentVariable("OPENPLATFORM_KILLS") ?? "6", CultureInfo.InvariantCulture);
        var seed = int.Parse(Environment.GetEnvironmentVariable("OPENPLATFORM_SEED") ?? Random.Shared.Next(1_000_000).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        var random = new Random(seed);
        // Each at least once, the rest as it comes.
        victims = [.. victims, .. Enumerable.Range(0, Math.Max(0, kills - victims.Length)).Select(_ => victims[random.Next(victims.Length)])];
        random.Shuffle(victims);
        output.WriteLine($"seed {seed}: {string.Join(", ", victims)}");

        using var admin = new HttpClient { BaseAddress = _catalog.Address, DefaultRequestHeaders = { Authorization = new("Bearer", CatalogServer.AdminToken) } };
        var (key, application) = await PartnerAsync(admin);
        _gateways[0] = await StartGatewayAsync(key);
        _gateways[1] = await StartGatewayAsync(key);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var callers = Enumerable.Range(0, Callers).Select(caller => Task.Run(() => CallAsync(key, caller, enough.Token), Stop)).ToArray();
        foreach (var victim in victims)
        {
            await UntilAnsweredAsync(AnswersBetweenKills);
            await KillAndRestartAsync(victim, random.Next(_gateways.Length), key);
        }

        await UntilAnsweredAsync(AnswersBetweenKills);
        await enough.CancelAsync();
        await Task.WhenAll(callers);

        var (answered, unanswered) = (Interlocked.Read(ref _answered), Interlocked.Read(ref _unanswered));
        long billed = 0;
        await Eventually.TrueAsync(async () => (billed = await BilledAsync(application)) >= answered, TimeSpan.FromSeconds(60));
        foreach (var gateway in _gateways)
        {
            gateway.Terminate(); // sends the rest
            Assert.Equal(0, await gateway.ExitCodeAsync());
        }

        Assert.DoesNotContain(Directory.EnumerateFiles(_state, "*", SearchOption.AllDirectories), static file => file.EndsWith(".refused", StringComparison.Ordinal) || file.EndsWith(".corrupt", StringComparison.Ordinal));
        using (var asked = await admin.PostAsync("/admin/v1/jobs/usage-reconciliation:run", null, Stop))
        {
            Assert.Equal(HttpStatusCode.Accepted, asked.StatusCode);
        }

        billed = await BilledAsync(application);
        output.WriteLine($"{answered} answers, {billed} units, {unanswered} requests without an answer");
        Assert.True(answered > victims.Length * AnswersBetweenKills);
        await Eventually.TrueAsync(async () => JsonNode.Parse(await admin.GetStringAsync("/admin/v1/usage/reconciliation", Stop))!["complete"] is { } proven
            && proven["differences"]!.AsArray().Count == 0, TimeSpan.FromSeconds(30));
        var told = JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/usage?application={application}&granularity=total&groupBy=status", Stop))!;
        Assert.Equal(billed, told["totalUnits"]!.GetValue<long>());
        Assert.Equal([(200, billed)], told["items"]!.AsArray().Select(static item => (item!["status"]!.GetValue<int>(), item["units"]!.GetValue<long>())));
        return (answered, unanswered, billed, victims);
    }

    private async Task CallAsync(string key, int caller, CancellationToken enough)
    {
        var clients = new ConcurrentDictionary<Uri, HttpClient>();
        try
        {
            for (var i = caller; !enough.IsCancellationRequested; i++)
            {
                var address = _gateways[i % _gateways.Length].Address;
                var client = clients.GetOrAdd(address, _ => new() { BaseAddress = address, DefaultRequestHeaders = { { "X-Api-Key", key } }, Timeout = TimeSpan.FromSeconds(20) });
                try
                {
                    using var response = await client.GetAsync("/kill/v1/things", CancellationToken.None);
                    Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                    Interlocked.Increment(ref _answered);
                }
                catch (HttpRequestException exception)
                {
                    // Whoever lives answers, whatever else is down.
                    Assert.True(_killed.ContainsKey(address), $"{address} was not killed: {exception}");
                    // Refused: it never got in. Broken: it was in flight.
                    if (exception.HttpRequestError != HttpRequestError.ConnectionError)
                    {
                        Interlocked.Increment(ref _unanswered);
                    }
                    else
                    {
                        await Task.Yield();
                    }
                }
            }
        }
        finally
        {
            foreach (var client in clients.Values)
            {
                client.Dispose();
            }
        }
    }

    private async Task UntilAnsweredAsync(int more)
    {
        var wanted = Interlocked.Read(ref _answered) + more;
        await Eventually.TrueAsync(() => Interlocked.Read(ref _answered) >= wanted, TimeSpan.FromSeconds(60));
    }

    private async Task KillAndRestartAsync(string victim, int gateway, string key)
    {
        switch (victim)
        {
            case "gateway":
                var old = _gateways[gateway];
                _killed[old.Address] = true;
                old.Kill();
                _gateways[gateway] = await StartGatewayAsync(key);
                await old.DisposeAsync();
                break;
            case "catalog":
                _catalog.Kill();
                await UntilAnsweredAsync(AnswersBetweenKills);
                await _catalog.DisposeAsync();
                _catalog = await StartCatalogAsync();
                break;
            case "Postgres":
                await _postgres.KillAsync();
                await UntilAnsweredAsync(AnswersBetweenKills);
                await _postgres.StartAsync();
                break;
            default:
                await redis.KillAsync();
                await UntilAnsweredAsync(AnswersBetweenKills);
                await redis.StartAsync();
                break;
        }
    }

    private async Task<long> BilledAsync(Guid application)
    {
        await using var connection = new NpgsqlConnection(_database + ";Pooling=false");
        await connection.OpenAsync(Stop);
        await using var sum = new NpgsqlCommand("select coalesce(sum(units), 0)::bigint from usage_items where application_id = $1", connection) { Parameters = { new() { Value = application } } };
        return (long)(await sum.ExecuteScalarAsync(Stop))!;
    }

    private async Task<(string Key, Guid Application)> PartnerAsync(HttpClient admin)
    {
        var backend = await admin.CreateAsync("backends", new { name = "kill", addresses = new[] { _backend.Address.ToString().TrimEnd('/') } });
        var api = await admin.CreateAsync("apis", new
        {
            name = "kill", version = "v1", basePath = "/kill/v1", backendId = backend.Id(), operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/things" } },
        });
        var plan = await admin.CreateAsync("plans", new { name = "kill", rateLimits = new[] { new { requests = 10_000_000, windowSeconds = 60 } } });
        var organization = await admin.CreateAsync("organizations", new { name = "Kill Ltd." });
        var application = await admin.CreateAsync("applications", new { organizationId = organization.Id(), name = "caller" });
        var credential = await admin.CreateAsync("credentials", new { applicationId = application.Id() });
        await admin.CreateAsync("subscriptions", new { applicationId = application.Id(), versionId = api["versions"]![0]!.Id(), planId = plan.Id() });
        return (credential["key"]!.GetValue<string>(), Guid.Parse(application.Id()));
    }

    private async Task<ServiceProcess> StartGatewayAsync(string key)
    {
        var gateway = await ServiceProcess.StartAsync("OpenPlatform.Gateway.dll", Processes.Environment(
        [
            .. GatewayHost.Settings(new($"http://127.0.0.1:{_catalogPort}"), _state).Where(static setting => setting.Key is not ("OpenPlatform:KeyPepper" or "OpenPlatform:ServiceToken")),
            ("OpenPlatform:KeyPepper", CatalogServer.Pepper), ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:EnvelopeKey", CatalogServer.EnvelopeKey),
            ("ConnectionStrings:redis", redis.ConnectionString),
        ]));
        using var client = new HttpClient { BaseAddress = gateway.Address, DefaultRequestHeaders = { { "X-Api-Key", key } } };
        await Eventually.TrueAsync(async () => (await client.GetAsync("/health", Stop)).IsSuccessStatusCode, TimeSpan.FromSeconds(60));
        await Eventually.TrueAsync(async () =>
        {
            using var response = await client.GetAsync("/kill/v1/things", Stop);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                Interlocked.Increment(ref _answered);
            }

            return response.StatusCode == HttpStatusCode.OK;
        }, TimeSpan.FromSeconds(60));
        return gateway;
    }

    private async Task<ServiceProcess> StartCatalogAsync()
    {
        var process = await ServiceProcess.StartAsync("OpenPlatform.Catalog.dll", Processes.Environment(
        [
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{_catalogPort}"), ("ConnectionStrings:catalogdb", _database), ("ConnectionStrings:redis", redis.ConnectionString),
            ("OpenPlatform:AdminToken", CatalogServer.AdminToken), ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper),
            ("OpenPlatform:EnvelopeKey", CatalogServer.EnvelopeKey), ("OpenPlatform:Jobs:Lease", "00:00:02"), ("OpenPlatform:Usage:RollUpInterval", "00:00:00.2"),
        ]));
        using var client = new HttpClient { BaseAddress = process.Address };
        await Eventually.TrueAsync(async () => (await client.GetAsync("/health", Stop)).IsSuccessStatusCode, TimeSpan.FromSeconds(60));
        return process;
    }
}
