using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Webhooks;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Protocols;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog.Webhooks;

[Collection(Beside.Name)]
public sealed class WebhookTests(SharedPostgres postgres) : IAsyncLifetime
{
    private static readonly (string, string?)[] Quick =
    [
        ("OpenPlatform:Webhooks:AllowHttp", "true"), ("OpenPlatform:Webhooks:AllowedNetworks", "127.0.0.0/8"), ("OpenPlatform:Webhooks:FirstBackoff", "00:00:00.02"),
        ("OpenPlatform:Webhooks:LongestBackoff", "00:00:00.1"), ("OpenPlatform:Webhooks:PollInterval", "00:00:00.05"), ("OpenPlatform:Webhooks:Timeout", "00:00:02"),
    ];

    /// <summary>Retries as docs/webhooks.md has them, to a receiver on this machine.</summary>
    private static readonly (string, string?)[] AsDocumented =
        [.. Quick.Where(static setting => setting.Item1.Split(':')[^1] is "AllowHttp" or "AllowedNetworks" or "PollInterval")];

    private string _database = "";
    private CatalogServer _catalog = null!;
    private HttpClient _admin = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _catalog = new(_database, settings: Quick);
        await _catalog.ReadyAsync();
        _admin = _catalog.Operator();
    }

    public async ValueTask DisposeAsync()
    {
        _admin.Dispose();
        await _catalog.DisposeAsync();
    }

    /// <summary>A statement that is cancelled at the server, a table that is being rebuilt: no absence, and no reason to end a process that answers requests.</summary>
    [Fact]
    public async Task What_goes_wrong_at_the_database_ends_no_catalog()
    {
        await using var receiver = await Receiver.StartAsync();
        await _admin.CreateAsync("webhooks", new { url = receiver.Url });
        await using var connection = new NpgsqlConnection(_database);
        await connection.ExecuteAsync("alter table webhooks rename to webhooks_elsewhere");
        await Eventually.TrueAsync(() => _catalog.Logs.All.Contains("Webhooks broke off", StringComparison.Ordinal));
        await connection.ExecuteAsync("alter table webhooks_elsewhere rename to webhooks");

        await EmitAsync("things/1", 1);

        await Eventually.TrueAsync(() => receiver.All.Count == 1);
        using var client = _catalog.Anonymous();
        Assert.Equal(HttpStatusCode.OK, await CatalogServer.HealthAsync(client));
    }

    [Fact]
    public async Task A_program_that_nobody_here_wrote_verifies_every_event_also_during_a_rotation()
    {
        await using var receiver = await Receiver.StartAsync();
        var webhook = await _admin.CreateAsync("webhooks", new { url = receiver.Url });
        var old = webhook["secret"]!.GetValue<string>();
        await EmitAsync("things/1", 1);
        await Eventually.TrueAsync(() => receiver.All.Count == 1);
        var young = await RotateAsync(3600);
        await EmitAsync("things/1", 2);
        await Eventually.TrueAsync(() => receiver.All.Count == 2);
        var youngest = await RotateAsync(0);
        await EmitAsync("things/1", 3);
        await Eventually.TrueAsync(() => receiver.All.Count == 3);

        var all = receiver.All.ToArray();
        var cases = Path.Combine(Directory.CreateTempSubdirectory("openplatform-webhooks-").FullName, "cases.json");
        var folder = Path.GetDirectoryName(cases)!;
        try
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "OpenPlatform.Tests", "Catalog", "Webhooks", "Peers")))
            {
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            await PeerTests.RunAsync("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error");
            var tampered = all[0] with { Body = all[0].Body.Replace("\"number\":1", "\"number\":9", StringComparison.Ordinal) };
            (string Secret, Received Received)[] list = [(old, all[0]), (young, all[0]), (old, all[1]), (young, all[1]), (old, all[2]), (young, all[2]), (youngest, all[2]), (old, tampered)];
            await File.WriteAllTextAsync(cases, JsonSerializer.Serialize(list.Select(static c => new { secret = c.Secret, headers = c.Received.Headers, body = c.Received.Body })), Stop);
            var lines = (await PeerTests.RunAsync("node", Path.Combine(folder, "verify.mjs"), cases)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            string Good(int number) => $"openplatform.thing.happened things/1 true {{\"number\":{number}}}";
            Assert.Equal([Good(1), "refused", Good(2), Good(2), "refused", "refused", Good(3), "refused"], lines);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        Assert.DoesNotContain("whsec_", await _admin.GetStringAsync("/admin/v1/webhooks", Stop), StringComparison.Ordinal);
        Assert.DoesNotContain(old, _catalog.Logs.All, StringComparison.Ordinal);

        async Task<string> RotateAsync(int overlap)
        {
            using var rotated = await _admin.ActAsync($"webhooks/{webhook.Id()}:rotate", "*", new { overlapSeconds = overlap });
            return (await rotated.JsonAsync())["secret"]!.GetValue<string>();
        }
    }

    [Fact]
    public async Task A_receiver_that_fails_gets_the_event_again_under_the_same_id_until_it_is_content()
    {
        var tries = 0;
        await using var receiver = await Receiver.StartAsync((_, _) => Task.FromResult(++tries <= 3 ? 500 : 204));
        var webhook = await _admin.CreateAsync("webhooks", new { url = receiver.Url });
        await EmitAsync("things/1", 1);

        await Eventually.TrueAsync(async () => (await DeliveriesAsync(webhook))[0]!["state"]!.GetValue<string>() == "delivered");
        Assert.Equal([500, 500, 500, 204], receiver.All.Select(static received => received.Status));
        Assert.Single(receiver.All.Select(static received => received.Id).Distinct());
        var delivery = (await DeliveriesAsync(webhook))[0]!;
        Assert.Equal((4, 204, null), (delivery["attempts"]!.GetValue<int>(), delivery["lastStatus"]!.GetValue<int>(), delivery["lastError"]?.GetValue<string>()));
    }

    [Fact]
    public async Task Events_of_one_subject_arrive_in_order_although_the_receiver_often_fails()
    {
        const int Subjects = 6;
        const int Events = 15;
        var seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using var receiver = await Receiver.StartAsync((_, _) =>
        {
            lock (random)
            {
                return Task.FromResult(random.Next(3) == 0 ? 503 : 200);
            }
        });
        await _admin.CreateAsync("webhooks", new { url = receiver.Url });
        for (var number = 0; number < Events; number++)
        {
            for (var subject = 0; subject < Subjects; subject++)
            {
                await EmitAsync($"things/{subject}", number);
            }
        }

        await Eventually.TrueAsync(() => receiver.All.Count(static received => received.Status == 200) == Subjects * Events, TimeSpan.FromSeconds(60));
        foreach (var subject in receiver.All.GroupBy(static received => received.Subject))
        {
            Assert.Equal(Enumerable.Range(0, Events), subject.Where(static received => received.Status == 200).Select(static received => received.Number));
            // A failed one is not overtaken: what is received never goes down.
            Assert.Equal(subject.Select(static received => received.Number).Order(), subject.Select(static received => received.Number));
        }
    }

    [Fact]
    public async Task What_is_given_up_is_listed_with_its_reason_lets_the_next_one_through_and_can_be_replayed()
    {
        var broken = true;
        await using var receiver = await Receiver.StartAsync((received, _) => Task.FromResult(broken && received.Number == 1 ? 410 : 200));
        var webhook = await _admin.CreateAsync("webhooks", new { url = receiver.Url });
        await EmitAsync("things/1", 1);
        await EmitAsync("things/1", 2);
        await Eventually.TrueAsync(() => receiver.All.Any(static received => received.Number == 2));

        var dead = (await DeliveriesAsync(webhook, "dead")).Single()!;
        Assert.Equal((410, "answered 410"), (dead["lastStatus"]!.GetValue<int>(), dead["lastError"]!.GetValue<string>()));
        broken = false;
        using (var replayed = await _admin.ActAsync($"webhooks/{webhook.Id()}:replay", null))
        {
            Assert.Equal(1, (await replayed.JsonAsync())["deliveries"]!.GetValue<int>());
        }

        await Eventually.TrueAsync(() => receiver.All.Count == 3);
        Assert.Equal([1, 2, 1], receiver.All.Select(static received => received.Number));
        await Eventually.TrueAsync(async () => (await DeliveriesAsync(webhook, "delivered")).Count == 2);

        // One that was delivered, once more.
        using (var again = await _admin.ActAsync($"webhooks/{webhook.Id()}/deliveries/{dead.Id()}:replay", null))
        {
            Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        }

        await Eventually.TrueAsync(() => receiver.All.Count(received => received.Id == dead.Id()) == 3);
    }

    [Fact]
    public async Task A_webhook_that_never_answers_delays_no_other()
    {
        await using var silent = await Receiver.StartAsync(static async (_, context) =>
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 500;
        });
        await using var quick = await Receiver.StartAsync();
        for (var i = 0; i < 20; i++)
        {
            await _admin.CreateAsync("webhooks", new { url = silent.Url });
        }

        await _admin.CreateAsync("webhooks", new { url = quick.Url });
        for (var i = 0; i < 100; i++)
        {
            await EmitAsync($"things/{i}", i);
        }

        // 20 webhooks hold 4 tries each for 2 s; the other one gets 100 events through meanwhile.
        await Eventually.TrueAsync(() => quick.All.Count == 100);
        await using var connection = new NpgsqlConnection(_database);
        // The receiver has it a moment before that is written down.
        await Eventually.TrueAsync(async () => await connection.ExecuteScalarAsync<long>("select count(*) from webhook_deliveries where state <> 'pending'") == 100);
    }

    [Fact]
    public async Task A_webhook_hears_of_what_it_asked_for_and_of_its_organization_only()
    {
        await using var receiver = await Receiver.StartAsync();
        var organization = Guid.Parse((await _admin.CreateAsync("organizations", new { name = "Acme" })).Id());
        await _admin.CreateAsync("webhooks", new { url = receiver.Url + "?one", eventTypes = new[] { "openplatform.thing.*" }, organizationId = organization });
        await _admin.CreateAsync("webhooks", new { url = receiver.Url + "?two", eventTypes = new[] { "openplatform.other.happened" } });
        await _admin.CreateAsync("webhooks", new { url = receiver.Url + "?three", active = false });
        await EmitAsync("things/1", 1, organization: organization);
        await EmitAsync("things/2", 2, organization: Guid.NewGuid());
        await EmitAsync("things/3", 3, type: "openplatform.other.happened");
        await EmitAsync("things/4", 4, type: "openplatform.other.else", organization: organization);

        await using var connection = new NpgsqlConnection(_database);
        await Eventually.TrueAsync(async () => await connection.ExecuteScalarAsync<long>("select count(*) from webhook_deliveries where state = 'pending'") == 0);
        Assert.Equal([1, 3], receiver.All.Select(static received => received.Number).Order());
    }

    [Fact]
    public async Task A_webhook_that_is_switched_off_hears_nothing_and_one_that_is_deleted_is_gone()
    {
        await using var receiver = await Receiver.StartAsync();
        var webhook = await _admin.CreateAsync("webhooks", new { url = receiver.Url });
        using (var off = await PatchAsync("{\"active\":false}"))
        {
            Assert.False((await off.JsonAsync())["active"]!.GetValue<bool>());
        }

        await EmitAsync("things/1", 1);
        using (var on = await PatchAsync("{\"active\":true,\"eventTypes\":[\"openplatform.thing.*\"]}"))
        {
            Assert.Equal("openplatform.thing.*", (await on.JsonAsync())["eventTypes"]![0]!.GetValue<string>());
        }

        using (var wrong = await PatchAsync("{\"url\":\"ftp://example.com\"}"))
        {
            Assert.Equal(["/url"], await wrong.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }

        await EmitAsync("things/1", 2);
        await Eventually.TrueAsync(() => !receiver.All.IsEmpty);
        Assert.Equal([2], receiver.All.Select(static received => received.Number));

        using var request = new HttpRequestMessage(HttpMethod.Delete, $"/admin/v1/webhooks/{webhook.Id()}") { Headers = { { "If-Match", "*" } } };
        using var deleted = await _admin.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        using var gone = await _admin.GetAsync($"/admin/v1/webhooks/{webhook.Id()}", Stop);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);

        async Task<HttpResponseMessage> PatchAsync(string patch)
        {
            using var message = new HttpRequestMessage(HttpMethod.Patch, $"/admin/v1/webhooks/{webhook.Id()}")
            {
                Headers = { { "If-Match", "*" } }, Content = new StringContent(patch, System.Text.Encoding.UTF8, "application/merge-patch+json"),
            };
            return await _admin.SendAsync(message, Stop);
        }
    }

    [Fact]
    public async Task A_catalog_that_is_killed_in_the_middle_loses_no_event_and_changes_no_order()
    {
        const int Subjects = 5;
        const int Events = 12;
        var database = await postgres.CreateDatabaseAsync();
        await using var first = await StartCatalogAsync(database);
        await using var second = await StartCatalogAsync(database);
        await using var receiver = await Receiver.StartAsync(static async (_, context) =>
        {
            await Task.Delay(20, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 200;
        });
        using var admin = new HttpClient { BaseAddress = first.Address, DefaultRequestHeaders = { Authorization = new("Bearer", CatalogServer.AdminToken) } };
        await admin.CreateAsync("webhooks", new { url = receiver.Url });
        for (var number = 0; number < Events; number++)
        {
            for (var subject = 0; subject < Subjects; subject++)
            {
                await EmitAsync($"things/{subject}", number, database: database);
            }
        }

        await Eventually.TrueAsync(() => receiver.All.Count >= 10);
        first.Kill();

        await using var connection = new NpgsqlConnection(database);
        await Eventually.TrueAsync(async () => await connection.ExecuteScalarAsync<long>("select count(*) from webhook_deliveries where state <> 'delivered'") == 0, TimeSpan.FromSeconds(60));
        var written = (await connection.QueryAsync<Guid>("select id from outbox")).Select(static id => id.ToString()).Order(StringComparer.Ordinal);
        Assert.Equal(written, receiver.All.Select(static received => received.Id).Distinct().Order(StringComparer.Ordinal));
        foreach (var subject in receiver.All.GroupBy(static received => received.Subject))
        {
            Assert.Equal(Enumerable.Range(0, Events), subject.Select(static received => received.Number).Distinct());
        }
    }

    /// <summary>Of each event's claim, whoever is faster: duplicates are for who was killed, not for who works beside another.</summary>
    [Fact]
    public async Task Two_catalogs_send_every_event_exactly_once_as_long_as_both_live()
    {
        const int Writers = 8;
        const int Events = 400;
        var database = await postgres.CreateDatabaseAsync();
        await using var first = new CatalogServer(database, settings: SideBySide("urn:first"));
        await using var second = new CatalogServer(database, settings: SideBySide("urn:second"));
        await first.ReadyAsync();
        await second.ReadyAsync();
        var arrived = new ConcurrentDictionary<string, int>();
        var sources = new ConcurrentDictionary<string, int>();
        var both = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var receiver = await Receiver.StartAsync(async (received, _) =>
        {
            arrived.AddOrUpdate(received.Id, 1, static (_, times) => times + 1);
            sources.AddOrUpdate(received.Event.GetProperty("source").GetString()!, 1, static (_, times) => times + 1);
            if (sources.Count == 2)
            {
                both.TrySetResult();
            }

            await both.Task; // the first is not done before the second has begun
            return 200;
        });
        using var admin = first.Operator();
        await admin.CreateAsync("webhooks", new { url = receiver.Url });

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(async writer =>
        {
            for (var number = writer; number < Events; number += Writers)
            {
                await EmitAsync($"things/{number}", number, database: database);
            }
        }));

        await using var connection = new NpgsqlConnection(database);
        await Eventually.TrueAsync(async () => await connection.ExecuteScalarAsync<long>("select count(*) from webhook_deliveries where state = 'delivered'") == Events, TimeSpan.FromSeconds(60));
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", sources));
        Assert.Equal(Events, arrived.Count);
        Assert.DoesNotContain(arrived, static id => id.Value != 1);
        Assert.Equal(0, await connection.ExecuteScalarAsync<long>("select count(*) from webhook_deliveries where attempts <> 1"));
        Assert.Equal((await connection.QueryAsync<Guid>("select id from outbox")).Select(static id => id.ToString()).Order(StringComparer.Ordinal), arrived.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_many_write_about_one_subject_at_two_catalogs_arrives_in_the_order_in_which_it_was_written()
    {
        const int Writers = 3;
        const int Writes = 20;
        var database = await postgres.CreateDatabaseAsync();
        await using var first = new CatalogServer(database, settings: SideBySide("urn:first"));
        await using var second = new CatalogServer(database, settings: SideBySide("urn:second"));
        await first.ReadyAsync();
        await second.ReadyAsync();
        var asked = 0;
        await using var receiver = await Receiver.StartAsync((_, _) => Task.FromResult(Interlocked.Increment(ref asked) % 7 == 0 ? 503 : 200));
        using var admin = first.Operator();
        var backend = await admin.CreateAsync("backends", new { name = "things", addresses = new[] { "http://10.0.0.1:8080" } });
        var api = await admin.CreateAsync("apis", new
        {
            name = "things", version = "v1", basePath = "/things/v1", backendId = backend.Id(), operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/" } },
        });
        await admin.CreateAsync("webhooks", new { url = receiver.Url, eventTypes = new[] { "openplatform.version.blocked" } });

        // The ETag of an API goes up under the lock of its row: it says who came after whom.
        var written = new ConcurrentDictionary<long, string>();
        await Task.WhenAll(new[] { first, second }.SelectMany(catalog => Enumerable.Range(0, Writers).Select(async writer =>
        {
            using var client = catalog.Operator();
            for (var i = 0; i < Writes; i++)
            {
                var reason = $"{(catalog == first ? "first" : "second")} {writer} {i}";
                using var blocked = await client.ActAsync($"apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}:block", "*", new { reason });
                Assert.Equal(HttpStatusCode.OK, blocked.StatusCode);
                Assert.True(written.TryAdd(long.Parse(blocked.Headers.ETag!.Tag.Trim('"'), CultureInfo.InvariantCulture), reason));
            }
        })));

        await Eventually.TrueAsync(() => receiver.All.Count(static received => received.Status == 200) == 2 * Writers * Writes, TimeSpan.FromSeconds(60));
        var inOrder = written.OrderBy(static write => write.Key).Select(static write => write.Value).ToList();
        Assert.Single(receiver.All.Select(static received => received.Subject).Distinct());
        Assert.Equal(inOrder, receiver.All.Where(static received => received.Status == 200).Select(Reason));
        // One that failed is not overtaken by what the other catalog sends.
        var places = receiver.All.Select(received => inOrder.IndexOf(Reason(received))).ToList();
        Assert.Equal(places.Order(), places);

        static string Reason(Received received) => received.Event.GetProperty("data").GetProperty("reason").GetString()!;
    }

    [Fact]
    public async Task The_pause_between_tries_grows_as_documented_and_after_the_last_one_only_a_replay_sends_again()
    {
        var database = await postgres.CreateDatabaseAsync();
        var clock = new ManualClock(DateTimeOffset.UtcNow);
        await using var catalog = new CatalogServer(database, settings: AsDocumented) { Time = clock };
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var content = false;
        await using var receiver = await Receiver.StartAsync((received, _) => Task.FromResult(content || received.Subject != "things/1" ? 200 : 500));
        var webhook = await admin.CreateAsync("webhooks", new { url = receiver.Url });
        await using var connection = new NpgsqlConnection(database);
        await EmitAsync("things/1", 1, database: database, at: clock.GetUtcNow());

        // docs/webhooks.md: 5 s, 15 s, 45 s … up to 12 h, ±20 %, 12 times.
        double[] pauses = [5, 15, 45, 135, 405, 1_215, 3_645, 10_935, 32_805, 43_200, 43_200];
        for (var tries = 1; tries <= pauses.Length; tries++)
        {
            await Eventually.TrueAsync(async () => await TriesAsync("claim is null") == tries);
            var waiting = await DeliveryAsync();
            var next = waiting["nextAttemptAt"]!.GetValue<DateTimeOffset>();
            var pause = (next - waiting["lastAttemptAt"]!.GetValue<DateTimeOffset>()).TotalSeconds;
            Assert.InRange(pause, (pauses[tries - 1] * 0.8) - 0.001, (pauses[tries - 1] * 1.2) + 0.001);

            // Not before its time: what is sent meanwhile shows that somebody looked.
            clock.Advance(next - clock.GetUtcNow() - TimeSpan.FromMilliseconds(2));
            await SendAnotherAsync(tries);
            Assert.Equal(tries, await TriesAsync("true"));
            clock.Advance(TimeSpan.FromMilliseconds(4));
        }

        await Eventually.TrueAsync(async () => (await DeliveryAsync())["state"]!.GetValue<string>() == "dead");
        var dead = await DeliveryAsync();
        Assert.Equal((12, 500, null), (dead["attempts"]!.GetValue<int>(), dead["lastStatus"]!.GetValue<int>(), dead["nextAttemptAt"]?.GetValue<string>()));
        clock.Advance(TimeSpan.FromDays(2));
        await SendAnotherAsync(12);
        Assert.Equal(12, await TriesAsync("state = 'dead'"));

        content = true;
        using (var replayed = await admin.ActAsync($"webhooks/{webhook.Id()}:replay", null))
        {
            Assert.Equal(1, (await replayed.JsonAsync())["deliveries"]!.GetValue<int>());
        }

        await Eventually.TrueAsync(async () => (await DeliveryAsync())["state"]!.GetValue<string>() == "delivered");
        Assert.Equal(1, (await DeliveryAsync())["attempts"]!.GetValue<int>());
        var all = receiver.All.Where(static received => received.Subject == "things/1").ToArray();
        Assert.Equal((13, 1), (all.Length, all.Select(static received => received.Id).Distinct().Count()));

        async Task<int?> TriesAsync(string where) => await connection.ExecuteScalarAsync<int?>($"select attempts from webhook_deliveries where subject = 'things/1' and {where}");

        async Task<JsonNode> DeliveryAsync() =>
            JsonNode.Parse(await admin.GetStringAsync($"/admin/v1/webhooks/{webhook.Id()}/deliveries", Stop))!["items"]!.AsArray().Single(static delivery => delivery!["subject"]!.GetValue<string>() == "things/1")!;

        async Task SendAnotherAsync(int number)
        {
            await EmitAsync($"others/{number}", number, database: database, at: clock.GetUtcNow());
            await Eventually.TrueAsync(() => receiver.All.Any(received => received.Subject == $"others/{number}"));
        }
    }

    [Fact]
    public async Task What_failed_together_does_not_come_back_together()
    {
        const int Subjects = 30;
        var database = await postgres.CreateDatabaseAsync();
        var clock = new ManualClock(DateTimeOffset.UtcNow);
        await using var catalog = new CatalogServer(database, settings: AsDocumented) { Time = clock };
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        await using var receiver = await Receiver.StartAsync(static (_, _) => Task.FromResult(500));
        await admin.CreateAsync("webhooks", new { url = receiver.Url });
        for (var subject = 0; subject < Subjects; subject++)
        {
            await EmitAsync($"things/{subject}", 1, database: database, at: clock.GetUtcNow());
        }

        await using var connection = new NpgsqlConnection(database);
        double[] pauses = [];
        await Eventually.TrueAsync(async () => (pauses = [.. await connection.QueryAsync<double>(
            "select extract(epoch from next_attempt_at - last_attempt_at)::float8 from webhook_deliveries where attempts = 1 and claim is null")]).Length == Subjects);
        Assert.All(pauses, static pause => Assert.InRange(pause, 3.999, 6.001));
        // Of 30 that are spread evenly, none is in the lowest or none in the highest two fifths once in two million times.
        Assert.Contains(pauses, static pause => pause < 4.8);
        Assert.Contains(pauses, static pause => pause > 5.2);
    }

    [Fact]
    public async Task A_name_that_leads_into_a_private_network_is_refused_when_it_is_connected_to()
    {
        await using var receiver = await Receiver.StartAsync();
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync(), settings: [.. Quick.Where(static setting => !setting.Item1.EndsWith("AllowedNetworks", StringComparison.Ordinal))]);
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        using (var literal = await admin.PostAsJsonAsync("/admin/v1/webhooks", new { url = receiver.Url }, Stop))
        {
            Assert.Equal(["/url"], await literal.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }

        var webhook = await admin.CreateAsync("webhooks", new { url = new UriBuilder(receiver.Url) { Host = "localhost" }.Uri.ToString() });
        await EmitAsync("things/1", 1, database: catalog.Services.GetService(typeof(NpgsqlDataSource)) is NpgsqlDataSource source ? source.ConnectionString : "");
        await Eventually.TrueAsync(async () => (await admin.GetStringAsync($"/admin/v1/webhooks/{webhook.Id()}/deliveries", Stop)).Contains("a network that webhooks may not reach", StringComparison.Ordinal));
        Assert.Empty(receiver.All);
    }

    [Fact]
    public async Task A_webhook_that_cannot_be_is_refused_with_the_member_that_is_wrong()
    {
        (string Body, string Pointer)[] cases =
        [
            ("""{"url":"ftp://example.com/"}""", "/url"), ("""{"url":"https://user:pass@example.com/"}""", "/url"), ("""{"url":"https://169.254.169.254/"}""", "/url"),
            ("""{"url":"hook"}""", "/url"), ("{}", "/url"), ("""{"url":"https://example.com/","eventTypes":[]}""", "/eventTypes"),
            ("""{"url":"https://example.com/","eventTypes":["*","everything"]}""", "/eventTypes/1"),
            ("""{"url":"https://example.com/","organizationId":"b0000000-0000-0000-0000-000000000000"}""", "/organizationId"),
        ];
        foreach (var (body, pointer) in cases)
        {
            using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
            using var response = await _admin.PostAsync("/admin/v1/webhooks", content, Stop);
            Assert.Equal([pointer], await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
        }
    }

    /// <summary>For one of two catalogs, told apart by the source of what they send. A claim outlives what a busy machine makes of a try.</summary>
    private static (string, string?)[] SideBySide(string source) => [.. Quick.Where(static setting => !setting.Item1.EndsWith("Timeout", StringComparison.Ordinal)), ("OpenPlatform:Webhooks:Source", source)];

    private async Task<JsonArray> DeliveriesAsync(JsonNode webhook, string? state = null) =>
        JsonNode.Parse(await _admin.GetStringAsync($"/admin/v1/webhooks/{webhook.Id()}/deliveries{(state is null ? "" : "?state=" + state)}", Stop))!["items"]!.AsArray();

    private async Task EmitAsync(string subject, int number, string type = "openplatform.thing.happened", Guid? organization = null, string? database = null, DateTimeOffset? at = null)
    {
        await using var connection = new NpgsqlConnection(database ?? _database);
        await connection.OpenAsync(Stop);
        await using var transaction = await connection.BeginTransactionAsync(Stop);
        await Outbox.WriteAsync(connection, transaction, at ?? DateTimeOffset.UtcNow, [OutboxEvent.Of(type, subject, organization, new { number })], Stop);
        await transaction.CommitAsync(Stop);
    }

    private static async Task<ServiceProcess> StartCatalogAsync(string database)
    {
        var process = await ServiceProcess.StartAsync("OpenPlatform.Catalog.dll", Processes.Environment(
        [
            ("ConnectionStrings:catalogdb", database), ("ConnectionStrings:redis", "127.0.0.1:1,password=none"), ("OpenPlatform:AdminToken", CatalogServer.AdminToken),
            ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper), ("OpenPlatform:EnvelopeKey", CatalogServer.EnvelopeKey),
            .. Quick.Select(static setting => (setting.Item1, setting.Item2!)),
        ]));
        using var client = new HttpClient { BaseAddress = process.Address };
        await Eventually.TrueAsync(async () => (await client.GetAsync("/health", Stop)).IsSuccessStatusCode, TimeSpan.FromSeconds(60));
        return process;
    }
}
