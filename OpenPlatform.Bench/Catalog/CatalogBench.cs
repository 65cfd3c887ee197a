using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Npgsql;
using OpenPlatform.Bench.Compare;
using OpenPlatform.Catalog.Accounts;
using OpenPlatform.Catalog.Applications;
using OpenPlatform.Catalog.Backends;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Catalog.Organizations;
using OpenPlatform.Catalog.Plans;
using OpenPlatform.Catalog.Subscriptions;

namespace OpenPlatform.Bench.Catalog;

/// <summary>
/// Reads by key and writes of the admin API beside their floor in the same run, interleaved: the same SQL through bare Npgsql, by itself and behind the
/// smallest endpoint. Ends with an error when reads of any kind are below <see cref="LeastShare"/> of the floor at equal concurrency, or when memory grows.
/// </summary>
internal static class CatalogBench
{
    private const double LeastShare = 0.60;
    private const double MostGrowth = 1.25;
    private const string Token = "admin-token-of-the-bench";
    private const string Pepper = "pepper-of-the-bench-0123456789";

    private static readonly List<string> s_missed = [];

    public static async Task<int> RunAsync(string[] args)
    {
        var seconds = Option(args, "--seconds", 2);
        var rounds = Option(args, "--rounds", 5);
        int[] concurrency = Option(args, "--connections", 0) is > 0 and var asked ? [asked] : [16, 64];
        using var postgres = await PrivatePostgres.StartAsync();
        var port = ServerProcess.FreePort();
        using var catalog = await ServerProcess.StartAsync(port, "dotnet", [Path.Combine(AppContext.BaseDirectory, "OpenPlatform.Catalog.dll")],
            ("ASPNETCORE_URLS", Address(port)), ("ASPNETCORE_ENVIRONMENT", "Production"), ("ConnectionStrings__catalogdb", postgres.ConnectionString), ("ConnectionStrings__redis", "127.0.0.1:1"),
            ("OpenPlatform__AdminToken", Token), ("OpenPlatform__ServiceToken", "service-token-of-the-bench"), ("OpenPlatform__KeyPepper", Pepper), ("Logging__LogLevel__Default", "Warning"));
        using var client = new HttpClient { BaseAddress = new Uri(Address(port)), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Token) } };
        await UntilReadyAsync(client);
        var kinds = await FillAsync(client);
        var machine = (await CreateAsync(client, "tokens", new { name = "bench", roles = new[] { "auditor" } }))["token"]!.GetValue<string>();
        var floorPort = ServerProcess.FreePort();
        using var floor = await ServerProcess.StartAsync(floorPort, "dotnet", [typeof(CatalogBench).Assembly.Location, FloorServer.Command, Address(floorPort), postgres.ConnectionString]);

        await using var database = NpgsqlDataSource.Create(postgres.ConnectionString);
        var memory = new List<long>();
        foreach (var connections in concurrency)
        {
            await ReadsAsync(connections);
        }

        var (floorWrites, writes) = await WritesAsync(database, client, 4);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"writes one after the other: bare Npgsql {floorWrites:0}/s, admin API {writes:0}/s, {writes / floorWrites:P0}"));
        memory.Add(ResidentBytes(catalog.Id));
        var growth = (double)memory[^1] / memory[memory.Count / 2];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"resident memory of the catalog: {memory[memory.Count / 2] >> 20} MB in the middle, {memory[^1] >> 20} MB at the end"));
        if (growth > MostGrowth)
        {
            s_missed.Add(string.Create(CultureInfo.InvariantCulture, $"memory grew by a factor of {growth:0.00}."));
        }

        s_missed.ForEach(static missed => Console.WriteLine($"MISSED: {missed}"));
        return s_missed.Count == 0 ? 0 : 1;

        async Task ReadsAsync(int connections)
        {
            var reads = kinds.ToDictionary(static kind => kind, static _ => new Reads());
            var (endpoint, endpointCost, byMachine) = (new List<double>(), new List<double>(), new Reads());
            for (var round = -1; round < rounds; round++) // the first warms up
            {
                foreach (var kind in kinds)
                {
                    var bare = await BareAsync(database, [(kind.Sql, kind.Id)], connections, seconds);
                    var (perSecond, cost) = await LoadAsync(catalog, kind.Path, $"Authorization: Bearer {Token}", connections, seconds);
                    reads[kind].Add(round, bare, perSecond, cost);
                }

                var organization = kinds[0];
                var (floorPerSecond, floorCost) = await LoadAsync(floor, $"/{organization.Id}", "Accept: */*", connections, seconds);
                var both = await BareAsync(database, [(OneKey(AccessTokenStore.ByHash), BearerSecret.HashOrNull(Encoding.UTF8.GetBytes(Pepper), machine)!), (organization.Sql, organization.Id)], connections, seconds);
                var (asMachine, machineCost) = await LoadAsync(catalog, organization.Path, $"Authorization: Bearer {machine}", connections, seconds);
                byMachine.Add(round, both, asMachine, machineCost);
                if (round >= 0)
                {
                    endpoint.Add(floorPerSecond);
                    endpointCost.Add(floorCost);
                }

                memory.Add(ResidentBytes(catalog.Id));
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""

                {connections} connections, medians of {rounds} rounds of {seconds} s; processor time of a read in the process that answers
                | Read by key | bare Npgsql, a second | admin API | share | µs |
                |---|---|---|---|---|
                """));
            foreach (var (kind, read) in reads)
            {
                Row(kind.Name, read);
            }

            Row("organization, with the token of a machine, which is read by key as well", byMachine);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| organization, bare Npgsql behind a bare endpoint | {Median(reads[kinds[0]].Bare):0} | {Median(endpoint):0} | {Median(endpoint) / Median(reads[kinds[0]].Bare):P0} | {Median(endpointCost):0} |"));

            void Row(string what, Reads read)
            {
                var share = Median(read.Api) / Median(read.Bare);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {Median(read.Bare):0} | {Median(read.Api):0} | {share:P0} | {Median(read.Cost):0} |"));
                if (share < LeastShare)
                {
                    s_missed.Add(string.Create(CultureInfo.InvariantCulture, $"{what}: {share:P0} with {connections} connections; reads by key must be at least {LeastShare:P0} of bare Npgsql."));
                }
            }
        }
    }

    private static async Task<(double PerSecond, double Microseconds)> LoadAsync(ServerProcess server, string path, string header, int connections, int seconds)
    {
        var before = server.CpuSeconds();
        var load = await Load.RunAsync(server.Port, path, header, connections, seconds, isHeader: true);
        return load.Errors == 0 ? (load.PerSecond, 1e6 * (server.CpuSeconds() - before) / load.Requests) : throw new InvalidOperationException($"{path}: not every answer was a good one.");
    }

    /// <summary>One of each kind that has a key.</summary>
    private static async Task<Kind[]> FillAsync(HttpClient client)
    {
        var organization = await IdAsync("organizations", new { name = "bench" });
        var application = await IdAsync("applications", new { organizationId = organization, name = "bench" });
        var credential = await IdAsync("credentials", new { applicationId = application });
        var backend = await IdAsync("backends", new { name = "bench", addresses = new[] { "http://127.0.0.1:1" } });
        var plan = await IdAsync("plans", new { name = "bench", approvalRequired = false, rateLimits = new[] { new { requests = 100, windowSeconds = 60 } } });
        var api = await CreateAsync(client, "apis", new { name = "bench", version = "v1", basePath = "/bench/v1", backendId = backend, operations = new[] { new { operationId = "one", method = "GET", pathTemplate = "/one" } } });
        var subscription = await IdAsync("subscriptions", new { applicationId = application, versionId = api["versions"]![0]!["id"]!.GetValue<Guid>(), planId = plan });
        return
        [
            new("organization", OneKey(OrganizationStore.ById), $"/admin/v1/organizations/{organization}", organization),
            new("application", OneKey(ApplicationStore.ById), $"/admin/v1/applications/{application}", application),
            new("credential", OneKey(CredentialStore.ById), $"/admin/v1/credentials/{credential}", credential),
            new("subscription", OneKey(SubscriptionStore.ById), $"/admin/v1/subscriptions/{subscription}", subscription),
            new("backend", OneKey(BackendStore.ById), $"/admin/v1/backends/{backend}", backend),
            new("plan", OneKey(PlanStore.ById), $"/admin/v1/plans/{plan}", plan),
        ];

        async Task<Guid> IdAsync(string collection, object body) => (await CreateAsync(client, collection, body))["id"]!.GetValue<Guid>();
    }

    /// <summary>The catalog's own statement, for one key.</summary>
    private static string OneKey(string sql) => sql.Contains("any(@keys)", StringComparison.Ordinal)
        ? sql.Replace("any(@keys)", "$1", StringComparison.Ordinal) : throw new InvalidOperationException($"Not by keys: {sql}");

    /// <summary>The statements one after the other, again and again, by as many as call the admin API. All columns are read.</summary>
    private static async Task<double> BareAsync(NpgsqlDataSource database, (string Sql, object Key)[] statements, int concurrency, int seconds)
    {
        var clock = Stopwatch.StartNew();
        var reads = await Task.WhenAll(Enumerable.Range(0, concurrency).Select(_ => Task.Run(async () =>
        {
            var (count, row) = (0L, new object[32]);
            for (; clock.Elapsed.TotalSeconds < seconds; count++)
            {
                await using var connection = await database.OpenConnectionAsync();
                foreach (var (sql, key) in statements)
                {
                    await using var command = new NpgsqlCommand(sql, connection) { Parameters = { key is Guid id ? new NpgsqlParameter<Guid> { TypedValue = id } : new NpgsqlParameter<byte[]> { TypedValue = (byte[])key } } };
                    await using var reader = await command.ExecuteReaderAsync();
                    if (!await reader.ReadAsync() || reader.GetValues(row) == 0)
                    {
                        throw new InvalidOperationException("There is no such row.");
                    }
                }
            }

            return count;
        })));
        return reads.Sum() / clock.Elapsed.TotalSeconds;
    }

    // What the API writes: the head is locked, a row and its audit (by trigger) are inserted, and it is committed to disk.
    private static async Task<(double Floor, double Api)> WritesAsync(NpgsqlDataSource database, HttpClient client, int seconds)
    {
        var clock = Stopwatch.StartNew();
        var floor = 0;
        for (; clock.Elapsed.TotalSeconds < seconds; floor++)
        {
            await using var connection = await database.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await using (var head = new NpgsqlCommand("select revision from config_head for update", connection, transaction))
            {
                await head.ExecuteScalarAsync();
            }

            await using (var insert = new NpgsqlCommand("insert into organizations (id, name, created_at) values ($1, $2, now())", connection, transaction)
                { Parameters = { new NpgsqlParameter<Guid> { TypedValue = Guid.CreateVersion7() }, new NpgsqlParameter<string> { TypedValue = $"floor {floor}" } } })
            {
                await insert.ExecuteNonQueryAsync();
            }

            await transaction.CommitAsync();
        }

        var floorRate = floor / clock.Elapsed.TotalSeconds;
        clock.Restart();
        var api = 0;
        for (; clock.Elapsed.TotalSeconds < seconds; api++)
        {
            await CreateAsync(client, "organizations", new { name = $"api {api}" });
        }

        return (floorRate, api / clock.Elapsed.TotalSeconds);
    }

    private static async Task<JsonNode> CreateAsync(HttpClient client, string collection, object body)
    {
        using var response = await client.PostAsJsonAsync($"/admin/v1/{collection}", body);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonNode.Parse(text)! : throw new InvalidOperationException($"{collection}: {(int)response.StatusCode} {text}");
    }

    private static async Task UntilReadyAsync(HttpClient client)
    {
        for (var i = 0; i < 300; i++)
        {
            using var response = await client.GetAsync("/health");
            if (response.IsSuccessStatusCode)
            {
                return;
            }

            await Task.Delay(100);
        }

        throw new InvalidOperationException("The catalog does not become ready.");
    }

    private static long ResidentBytes(int process) =>
        long.Parse(File.ReadLines($"/proc/{process}/status").Single(static line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static string Address(int port) => $"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";

    private static int Option(string[] args, string name, int otherwise) =>
        Array.IndexOf(args, name) is >= 0 and var i && i + 1 < args.Length ? int.Parse(args[i + 1], CultureInfo.InvariantCulture) : otherwise;

    /// <param name="Sql">What the catalog asks Postgres, for one key.</param>
    private sealed record Kind(string Name, string Sql, string Path, Guid Id);

    /// <summary>A number for each round: reads a second through bare Npgsql and through the admin API, and what one of those costs the catalog, in µs.</summary>
    private sealed class Reads
    {
        public List<double> Bare { get; } = [];

        public List<double> Api { get; } = [];

        public List<double> Cost { get; } = [];

        public void Add(int round, double bare, double api, double cost)
        {
            if (round >= 0)
            {
                Bare.Add(bare);
                Api.Add(api);
                Cost.Add(cost);
            }
        }
    }
}
