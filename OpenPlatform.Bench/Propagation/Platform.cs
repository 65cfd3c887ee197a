using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Npgsql;
using OpenPlatform.Bench.Compare;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Bench.Propagation;

/// <summary>Postgres, a catalog full of APIs and partners, three gateways and a backend: all of them real, all but the backend processes of their own.</summary>
internal sealed class Platform : IAsyncDisposable
{
    private const string AdminToken = "admin-token-of-the-bench";
    private const string ServiceToken = "service-token-of-the-bench";
    private const string Pepper = "pepper-of-the-bench";

    private readonly List<IDisposable> _parts = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("openplatform-bench-").FullName;
    private ServerProcess _backend = null!;
    private PostgresProcess _postgres = null!;
    private ServerProcess _catalog = null!;

    public HttpClient Admin { get; private set; } = null!;

    public IReadOnlyList<ServerProcess> Gateways { get; private set; } = [];

    /// <summary>Process ids of the catalog and the gateways.</summary>
    public int[] Services => [_catalog.Id, .. Gateways.Select(static gateway => gateway.Id)];

    public NpgsqlDataSource Database { get; private set; } = null!;

    /// <summary>Processor seconds so far: what a change costs depends on nothing else that the machine does.</summary>
    public (double Postgres, double Catalog, double Gateways) CpuSeconds() => (_postgres.CpuSeconds(), _catalog.CpuSeconds(), Gateways.Sum(static gateway => gateway.CpuSeconds()));

    /// <summary>
    /// Gateway 1, what calls it (process <paramref name="load"/>) and what it calls on one half of the processors; Postgres, the catalog, who writes the changes and the
    /// other gateways on the other half, as they are on other machines in production. What calls gateway 1 and what it calls would have their own, too: they never
    /// wait for one that gateway 1 has. Or all on all, as all others.
    /// </summary>
    /// <returns>What could not be had of that, in words; or nothing.</returns>
    public string SetApart(bool isApart, int load)
    {
        int[] here = [Gateways[0].Id, load, _backend.Id], elsewhere = [.. _postgres.Processes(), _catalog.Id, Environment.ProcessId, .. Gateways.Skip(1).Select(static gateway => gateway.Id)];
        var halves = isApart ? Processors.Halves() : null;
        Processors.Give(here, halves?.Here);
        Processors.Give(elsewhere, halves?.Elsewhere);
        var isFirst = Processors.GoFirst([load, _backend.Id], isApart);
        return (halves is null ? ", but there is one processor" : "") + (isFirst ? "" : ", but what calls it may wait for it, as there is no right to more (CAP_SYS_NICE)");
    }

    public Guid BackendId { get; private set; }

    /// <summary>API id and version id of the first API, which is the one that changes.</summary>
    public (Guid Api, Guid Version) Changing { get; private set; }

    /// <summary>Id and key of the application that calls.</summary>
    public (Guid Id, string Key) Caller { get; private set; }

    /// <summary>What others change meanwhile: an application of another partner, and another API than the one that is called.</summary>
    public ChangingPartner Other { get; private set; } = null!;

    /// <summary>This program, for children of it.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "OpenPlatform.Bench.dll");

    public static string PathOf(int api, int operation) => $"/api-{api}/v1/resources-{operation}/42";

    public async Task StartAsync(int operations, int credentials, int gateways = 3)
    {
        _parts.Add(_postgres = await PostgresProcess.StartAsync()); // first: it ends with the thread that starts it, and this is still the main one
        var backend = ServerProcess.FreePort();
        _parts.Add(_backend = await ServerProcess.StartAsync(backend, "dotnet", [Program, HelloBackend.Command, backend.ToString(CultureInfo.InvariantCulture)], ("DOTNET_TieredCompilation", "0"))); // nothing is compiled while it serves
        Database = NpgsqlDataSource.Create(_postgres.ConnectionString);
        var catalog = ServerProcess.FreePort();
        _parts.Add(_catalog = await ServerProcess.StartAsync(catalog, "dotnet", [Path.Combine(AppContext.BaseDirectory, "OpenPlatform.Catalog.dll")],
        [
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{catalog}"), ("ASPNETCORE_ENVIRONMENT", "Production"), ("ConnectionStrings__catalogdb", _postgres.ConnectionString),
            ("ConnectionStrings__redis", "127.0.0.1:1,password=none"), ("OpenPlatform__AdminToken", AdminToken), ("OpenPlatform__ServiceToken", ServiceToken),
            ("OpenPlatform__KeyPepper", Pepper), ("Logging__LogLevel__Default", "Warning"),
        ]));
        Admin = new() { BaseAddress = new($"http://127.0.0.1:{catalog}/admin/v1/"), Timeout = TimeSpan.FromMinutes(5) };
        Admin.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", AdminToken);
        await UntilAsync(async () =>
        {
            using var health = await Admin.GetAsync("/health");
            return health.IsSuccessStatusCode;
        });
        await FillAsync(operations, credentials);

        Gateways = await Task.WhenAll(Enumerable.Range(0, gateways).Select(i => StartGatewayAsync(i, catalog)));
        _parts.AddRange(Gateways);
        foreach (var gateway in Gateways)
        {
            using var client = Client(gateway, Caller.Key);
            await UntilAsync(async () => await StatusAsync(client, PathOf(0, 0)) == HttpStatusCode.OK);
        }
    }

    public static HttpClient Client(ServerProcess gateway, string key) => new()
    {
        BaseAddress = new($"http://127.0.0.1:{gateway.Port}"), DefaultRequestHeaders = { { "X-Api-Key", key } }, Timeout = TimeSpan.FromSeconds(10),
    };

    public static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(path);
        return response.StatusCode;
    }

    public async Task<JsonNode> PostAsync(string path, object? body, bool change = false)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body is null ? null : JsonContent.Create(body) };
        if (change)
        {
            request.Headers.TryAddWithoutValidation("If-Match", "*");
        }

        using var response = await Admin.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonNode.Parse(text)! : throw new InvalidOperationException($"{path}: {(int)response.StatusCode} {text}");
    }

    /// <summary>Everything but the gateways and their backend ends at once, and a gateway is killed and started again: milliseconds until it answers the caller from its disk.</summary>
    public async Task<double> RestartFromDiskAsync()
    {
        _catalog.Dispose();
        _postgres.Dispose();
        Gateways[0].Dispose();
        _parts.RemoveAll(part => part == _catalog || part == _postgres || part == Gateways[0]);
        var started = Stopwatch.GetTimestamp();
        var gateway = await StartGatewayAsync(0, ServerProcess.FreePort());
        _parts.Add(gateway);
        using var client = Client(gateway, Caller.Key);
        await UntilAsync(async () => await StatusAsync(client, PathOf(0, 0)) == HttpStatusCode.OK);
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    public static Guid Id(JsonNode resource) => resource["id"]!.GetValue<Guid>();

    /// <summary>The operations of an API, and one more for each revision so far: a revision that takes one away is refused.</summary>
    /// <param name="cost">What the first of them costs, in units.</param>
    public static object[] Operations(int count, int markers = 0, int cost = 1) =>
    [
        .. Enumerable.Range(0, count).Select(o => new { operationId = $"operation{o}", method = "GET", pathTemplate = $"/resources-{o}/{{id}}", policies = o == 0 && cost > 1 ? new { cost } : null }),
        .. Enumerable.Range(0, markers).Select(static m => new { operationId = $"marker{m}", method = "GET", pathTemplate = $"/marker-{m}" }),
    ];

    public async ValueTask DisposeAsync()
    {
        foreach (var part in Enumerable.Reverse(_parts))
        {
            part.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private Task<ServerProcess> StartGatewayAsync(int number, int catalog)
    {
        var port = ServerProcess.FreePort();
        return ServerProcess.StartAsync(port, "dotnet", [Path.Combine(AppContext.BaseDirectory, "OpenPlatform.Gateway.dll")],
        [
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"), ("ASPNETCORE_ENVIRONMENT", "Production"), ("OpenPlatform__KeyPepper", Pepper), ("OpenPlatform__ServiceToken", ServiceToken),
            ("OpenPlatform__StateDirectory", Path.Combine(_folder, number.ToString(CultureInfo.InvariantCulture))), ("OpenPlatform__Gateway__Observability__AccessLog", "None"),
            ("services__catalog__http__0", $"http://127.0.0.1:{catalog}"), ("Logging__LogLevel__Default", "Warning"),
        ]);
    }

    /// <summary>APIs through the admin API; partners as rows, because a hundred thousand requests would only take long.</summary>
    private async Task FillAsync(int operations, int credentials)
    {
        BackendId = Id(await PostAsync("backends", new { name = "backend", addresses = new[] { $"http://127.0.0.1:{_backend.Port}" } }));
        var plan = Id(await PostAsync("plans", new { name = "standard", approvalRequired = false, rateLimits = new[] { new { requests = 1_000_000_000, windowSeconds = 1 } } }));
        var versions = new List<Guid>();
        (Guid Api, Guid Version) other = default;
        for (var a = 0; a < operations / 100; a++)
        {
            var api = await PostAsync("apis", new { name = $"api-{a}", version = "v1", basePath = $"/api-{a}/v1", backendId = BackendId, operations = Operations(100) });
            versions.Add(Id(api["versions"]![0]!));
            Changing = a == 0 ? (Id(api), versions[0]) : Changing;
            other = a == 1 ? (Id(api), versions[1]) : other;
        }

        var organization = Id(await PostAsync("organizations", new { name = "Partner" }));
        var application = Id(await PostAsync("applications", new { organizationId = organization, name = "caller" }));
        var key = (await PostAsync("credentials", new { applicationId = application }))["key"]!.GetValue<string>();
        await PostAsync("subscriptions", new { applicationId = application, versionId = versions[0], planId = plan });
        Caller = (application, key);
        Other = new(this, Id(await PostAsync("applications", new { organizationId = Id(await PostAsync("organizations", new { name = "Another partner" })), name = "other" })), other.Api, other.Version, plan);

        Guid[] applications = [.. Enumerable.Range(0, credentials).Select(static _ => Guid.CreateVersion7())];
        await using var connection = await Database.OpenConnectionAsync();
        await using var fill = new NpgsqlBatch(connection);
        Add("set session_replication_role = replica"); // no row triggers: the shards are noted below, all of them
        Add("insert into applications (id, organization_id, name, created_at) select id, $2, 'application ' || id, now() from unnest($1::uuid[]) as t (id)", applications, organization);
        Add("insert into credentials (id, application_id, name, hash, prefix, created_at) select gen_random_uuid(), id, 'key', hash, 'op_bench', now() from unnest($1::uuid[], $2::bytea[]) as t (id, hash)",
            applications, applications.Select(static id => Hash(id.ToString())).ToArray());
        Add("insert into subscriptions (id, application_id, version_id, plan_id, state, created_at) select gen_random_uuid(), id, version, $3, 'active', now() from unnest($1::uuid[], $2::uuid[]) as t (id, version)",
            applications, applications.Select((_, i) => versions[i % versions.Count]).ToArray(), plan);
        Add("set session_replication_role = origin");
        Add("insert into config_dirty select kind || lpad(to_hex(n), 2, '0') from generate_series(0, 255) as n, unnest(array['applications/', 'credentials/']) as kind on conflict do nothing");
        fill.Timeout = 0;
        await fill.ExecuteNonQueryAsync();
        await using (var analyze = new NpgsqlCommand("analyze", connection))
        {
            await analyze.ExecuteNonQueryAsync();
        }

        await PostAsync("plans", new { name = "another", approvalRequired = false, rateLimits = new[] { new { requests = 1, windowSeconds = 1 } } }); // the revision with all of them

        void Add(string sql, params object[] values)
        {
            var command = new NpgsqlBatchCommand(sql);
            foreach (var value in values)
            {
                command.Parameters.Add(new() { Value = value });
            }

            fill.BatchCommands.Add(command);
        }
    }

    private static byte[] Hash(string key)
    {
        var hash = new byte[KeyHash.Size];
        KeyHash.TryCompute(Encoding.UTF8.GetBytes(Pepper), key, hash);
        return hash;
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        for (var i = 0; i < 1200; i++)
        {
            try
            {
                if (await condition())
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // It is still starting.
            }

            await Task.Delay(100);
        }

        throw new InvalidOperationException("Not ready within two minutes.");
    }
}
