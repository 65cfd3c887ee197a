using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Npgsql;
using OpenPlatform.Bench.Compare;

namespace OpenPlatform.Bench.Catalog;

/// <summary>
/// Reads by key and writes of the admin API beside their floor in the same run, interleaved: the same SQL through bare Npgsql, by itself and behind the
/// smallest endpoint. Ends with an error when reads are below <see cref="LeastShare"/> of the floor at equal concurrency, or when memory grows.
/// </summary>
internal static class CatalogBench
{
    private const double LeastShare = 0.60;
    private const double MostGrowth = 1.25;
    private const string Token = "admin-token-of-the-bench";

    public static async Task<int> RunAsync(string[] args)
    {
        var seconds = Option(args, "--seconds", 4);
        var rounds = Option(args, "--rounds", 5);
        var connections = Option(args, "--connections", 16);
        using var postgres = await PrivatePostgres.StartAsync();
        var port = ServerProcess.FreePort();
        using var catalog = await ServerProcess.StartAsync(port, "dotnet", [Path.Combine(AppContext.BaseDirectory, "OpenPlatform.Catalog.dll")],
            ("ASPNETCORE_URLS", Address(port)), ("ASPNETCORE_ENVIRONMENT", "Production"), ("ConnectionStrings__catalogdb", postgres.ConnectionString), ("ConnectionStrings__redis", "127.0.0.1:1"),
            ("OpenPlatform__AdminToken", Token), ("OpenPlatform__ServiceToken", "service-token-of-the-bench"), ("OpenPlatform__KeyPepper", "pepper-of-the-bench-0123456789"), ("Logging__LogLevel__Default", "Warning"));
        using var client = new HttpClient { BaseAddress = new Uri(Address(port)), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Token) } };
        await UntilReadyAsync(client);
        var id = await CreateAsync(client, "bench");
        var machine = await IssueTokenAsync(client);
        var floorPort = ServerProcess.FreePort();
        using var floor = await ServerProcess.StartAsync(floorPort, "dotnet", [typeof(CatalogBench).Assembly.Location, FloorServer.Command, Address(floorPort), postgres.ConnectionString]);

        await using var database = NpgsqlDataSource.Create(postgres.ConnectionString);
        List<double> bare = [], minimal = [], api = [], byMachine = [], minimalCost = [], apiCost = [];
        var memory = new List<long>();
        for (var round = -1; round < rounds; round++) // the first warms up
        {
            var inProcess = await BareAsync(database, id, connections, seconds);
            var before = (Floor: floor.CpuSeconds(), Catalog: catalog.CpuSeconds());
            var endpoint = await Load.RunAsync(floorPort, $"/{id}", "Accept: */*", connections, seconds, isHeader: true);
            var read = await Load.RunAsync(port, $"/admin/v1/organizations/{id}", $"Authorization: Bearer {Token}", connections, seconds, isHeader: true);
            var spent = catalog.CpuSeconds() - before.Catalog;
            var asMachine = await Load.RunAsync(port, $"/admin/v1/organizations/{id}", $"Authorization: Bearer {machine}", connections, seconds, isHeader: true);
            if (endpoint.Errors + read.Errors + asMachine.Errors > 0)
            {
                throw new InvalidOperationException("Not every answer was a good one.");
            }

            if (round >= 0)
            {
                bare.Add(inProcess);
                minimal.Add(endpoint.PerSecond);
                api.Add(read.PerSecond);
                byMachine.Add(asMachine.PerSecond);
                minimalCost.Add(1e6 * (floor.CpuSeconds() - before.Floor) / (endpoint.PerSecond * seconds));
                apiCost.Add(1e6 * spent / (read.PerSecond * seconds));
            }

            memory.Add(ResidentBytes(catalog.Id));
        }

        var (floorWrites, writes) = await WritesAsync(database, client, Math.Max(1, seconds));
        var share = Median(api) / Median(bare);
        var growth = (double)memory[^1] / memory[memory.Count / 2];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            {connections} connections, medians of {rounds} rounds of {seconds} s
            reads by key, bare Npgsql in this process          {Median(bare),9:0}/s
            reads by key, bare Npgsql behind a bare endpoint   {Median(minimal),9:0}/s
            reads by key, admin API                            {Median(api),9:0}/s   {share:P0} of bare Npgsql, {Median(api) / Median(minimal):P0} of it behind an endpoint
            the same with a machine's token, read too           {Median(byMachine),9:0}/s   {Median(byMachine) / Median(bare):P0} of bare Npgsql
            processor time of a read in the process that answers {Median(minimalCost):0} µs behind a bare endpoint, {Median(apiCost):0} µs in the catalog
            writes one after the other, bare Npgsql            {floorWrites,9:0}/s
            writes one after the other, admin API              {writes,9:0}/s   {writes / floorWrites:P0}
            resident memory of the catalog                     {memory[memory.Count / 2] >> 20} MB in the middle, {memory[^1] >> 20} MB at the end
            """));
        if (share < LeastShare)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"MISSED: reads by key must be at least {LeastShare:P0} of bare Npgsql."));
        }

        if (growth > MostGrowth)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"MISSED: memory grew by a factor of {growth:0.00}."));
        }

        return share < LeastShare || growth > MostGrowth ? 1 : 0;
    }

    private static async Task<double> BareAsync(NpgsqlDataSource database, Guid id, int concurrency, int seconds)
    {
        var clock = Stopwatch.StartNew();
        var reads = await Task.WhenAll(Enumerable.Range(0, concurrency).Select(_ => Task.Run(async () =>
        {
            var count = 0L;
            while (clock.Elapsed.TotalSeconds < seconds)
            {
                await using var connection = await database.OpenConnectionAsync();
                await using var command = new NpgsqlCommand(FloorServer.Read, connection) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = id } } };
                await using var reader = await command.ExecuteReaderAsync();
                await reader.ReadAsync();
                var row = (reader.GetGuid(0), reader.GetString(1), reader.GetDateTime(2), reader.GetInt64(3));
                count += row.Item4 > 0 ? 1 : 0;
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
            await CreateAsync(client, $"api {api}");
        }

        return (floorRate, api / clock.Elapsed.TotalSeconds);
    }

    private static async Task<Guid> CreateAsync(HttpClient client, string name)
    {
        using var response = await client.PostAsJsonAsync("/admin/v1/organizations", new { name });
        response.EnsureSuccessStatusCode();
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!.GetValue<Guid>();
    }

    private static async Task<string> IssueTokenAsync(HttpClient client)
    {
        using var response = await client.PostAsJsonAsync("/admin/v1/tokens", new { name = "bench", roles = new[] { "auditor" } });
        response.EnsureSuccessStatusCode();
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!["token"]!.GetValue<string>();
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
}
