using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Tests.Catalog.Jobs;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog.Access;

/// <summary>Two partners, each with everything a partner can have. Neither gets to see or touch anything of the other.</summary>
[Collection(Beside.Name)]
public sealed partial class IsolationTests(SharedPostgres postgres) : IAsyncLifetime
{
    private const long OwnUnits = 12;

    /// <summary>Who called a version is read from the sums by hour alone.</summary>
    private const long RolledUp = 7;

    private string _connection = "";
    private LedJobs _led = null!;
    private Partner _mine = null!;
    private Partner _theirs = null!;
    private HttpClient _developer = null!;
    private HttpClient _owner = null!;

    private CatalogServer Catalog => _led.Catalog;

    public async ValueTask InitializeAsync()
    {
        _connection = await postgres.CreateDatabaseAsync();
        _led = await LedJobs.StartAsync(_connection);
        _owner = Catalog.Operator();
        _mine = await Partner.CreateAsync(_owner, "mine");
        _theirs = await Partner.CreateAsync(_owner, "theirs");
        // They call what we call, too; some of it is in the sums by hour, the rest still to come.
        await CountUsageAsync((_mine, _mine.Version, 7), (_theirs, _theirs.Version, 100), (_theirs, _mine.Version, 1_000));
        await _led.RunAsync("usage-roll-up");
        await CountUsageAsync((_mine, _mine.Version, 5), (_theirs, _theirs.Version, 10_000), (_theirs, _mine.Version, 100_000));
        _developer = Catalog.With((await _owner.TokenAsync("developer", _mine.Organization)).Token);
    }

    public async ValueTask DisposeAsync()
    {
        _developer.Dispose();
        _owner.Dispose();
        await _led.DisposeAsync();
    }

    [Fact]
    public async Task A_developer_sees_what_is_its_own()
    {
        foreach (var (collection, id) in new[] { ("organizations", _mine.Organization), ("applications", _mine.Application), ("credentials", _mine.Credential), ("subscriptions", _mine.Subscription) })
        {
            using var one = await _developer.GetAsync($"/admin/v1/{collection}/{id}");
            Assert.True(one.StatusCode == HttpStatusCode.OK, $"{collection}: {(int)one.StatusCode}");
            Assert.Contains(id, await _developer.GetStringAsync($"/admin/v1/{collection}"), StringComparison.Ordinal);
        }
    }

    /// <summary>Every GET that a developer may call, with ids that exist in every place and filter, of the other partner and of what is for all to see, and with the cursors of an owner.</summary>
    [Fact]
    public async Task No_read_shows_anything_of_another_organization()
    {
        var random = SeededRandom();
        var reads = AccessCalls.Endpoints(Catalog).Where(static endpoint => endpoint.Method == "GET" && RoleMatrix.Allows([Role.Developer], endpoint.Needs)).Select(static endpoint => endpoint.Path).ToList();
        Assert.True(reads.Count > 8);
        var cursors = await CursorsAsync(reads);
        var (tried, callers) = (0, 0);
        foreach (var target in reads.SelectMany(path => Targets(path, random)))
        {
            foreach (var query in Queries(cursors, random))
            {
                tried++;
                using var response = await ReadAsync(target + query, random);
                Assert.True(response.StatusCode != HttpStatusCode.InternalServerError, target + query);
                var text = await response.Content.ReadAsStringAsync();
                var told = text + string.Concat(response.Headers.SelectMany(static header => header.Value).Select(static value => value + CursorText(value)));
                // What was asked with may be named in the refusal; that it is theirs, and all else of theirs, may not.
                foreach (var secret in _theirs.Secrets.Where(secret => !(target + query).Contains(secret, StringComparison.Ordinal) || response.IsSuccessStatusCode && !query.Contains(secret, StringComparison.Ordinal)))
                {
                    Assert.False(told.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{target}{query} shows {secret}: {told}");
                }

                if (_theirs.Ids.Any(id => target.Contains(id, StringComparison.Ordinal)))
                {
                    await IsAsIfItWereNotThereAsync(target, query, response.StatusCode, text);
                }

                if (response.IsSuccessStatusCode && target.EndsWith("/usage", StringComparison.Ordinal))
                {
                    Assert.True(UnitsOf(response, text) is 0 or OwnUnits, $"{target}{query}: {text}");
                }
                else if (response.IsSuccessStatusCode && target.EndsWith("/callers", StringComparison.Ordinal) && JsonNode.Parse(text)!["items"]!.AsArray() is [_, ..] items)
                {
                    callers++;
                    Assert.Equal((_mine.Application, RolledUp), (Assert.Single(items)!["applicationId"]!.GetValue<string>(), items[0]!["units"]!.GetValue<long>()));
                }
            }
        }

        Assert.True(tried > 2_000 && callers > 0, $"{tried} {callers}");
    }

    [Fact]
    public async Task Usage_is_exactly_ones_own()
    {
        foreach (var (client, units) in new[] { (_developer, OwnUnits), (_owner, OwnUnits + 111_100) })
        {
            Assert.Equal(units, JsonNode.Parse(await client.GetStringAsync("/admin/v1/usage"))!["totalUnits"]!.GetValue<long>());
            Assert.Equal(units, JsonNode.Parse(await client.GetStringAsync("/admin/v1/usage?granularity=total&groupBy="))!["items"]![0]!["units"]!.GetValue<long>());
        }
    }

    /// <summary>A split names applications of everybody; a draft is nobody's business but the publisher's.</summary>
    [Fact]
    public async Task How_traffic_is_divided_and_what_is_not_published_is_not_shown_to_a_partner()
    {
        var backend = (await _owner.CreateAsync("backends", new { name = "divided", service = "divided" })).Id();
        var operations = new[] { new { operationId = "list", method = "GET", pathTemplate = "/things" } };
        var policies = new { timeouts = new { totalMilliseconds = 9000 }, split = new { variants = new object[] { new { name = "new", backendId = backend, weightPercent = 1.0, applications = new[] { _theirs.Application } } } } };
        var api = await _owner.CreateAsync("apis", new { name = "divided", version = "v1", basePath = "/divided/v1", backendId = backend, operations, policies });
        var version = api["versions"]![0]!.Id();
        Assert.Contains(_theirs.Application, await _owner.GetStringAsync($"/admin/v1/apis/{api.Id()}"), StringComparison.Ordinal);

        foreach (var path in new[] { $"apis/{api.Id()}", "apis?limit=200", $"apis/{api.Id()}/versions", $"apis/{api.Id()}/versions/{version}" })
        {
            var text = await _developer.GetStringAsync("/admin/v1/" + path);
            Assert.DoesNotContain(_theirs.Application, text, StringComparison.Ordinal);
            Assert.Contains("totalMilliseconds", text, StringComparison.Ordinal);
        }

        var document = JsonNode.Parse("""{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/s":{"get":{"operationId":"s","responses":{"200":{"description":"d","content":{"application/json":{"example":"unpublished"}}}}}}}}""");
        var draft = await _owner.CreateAsync("apis", new { name = "unseen", version = "v1", basePath = "/unseen/v1", backendId = backend, openApi = document, draft = true });
        var mock = $"/admin/v1/apis/{draft.Id()}/versions/{draft["versions"]![0]!.Id()}/operations/s/mock";
        Assert.Contains("unpublished", await _owner.GetStringAsync(mock), StringComparison.Ordinal);
        var plan = await _owner.CreateAsync("plans", new { name = "unseen", state = "draft" });
        foreach (var path in new[] { mock, $"/admin/v1/plans/{plan.Id()}", $"/admin/v1/plans/{plan.Id()}/revisions" })
        {
            using var unseen = await _developer.GetAsync(path);
            await unseen.ProblemAsync(HttpStatusCode.NotFound);
        }

        Assert.DoesNotContain(plan.Id(), await _developer.GetStringAsync("/admin/v1/plans?limit=200"), StringComparison.Ordinal);
        Assert.Contains(plan.Id(), await _owner.GetStringAsync("/admin/v1/plans?limit=200"), StringComparison.Ordinal);
    }

    /// <summary>Every write that a developer may call, with the ids of the other partner in every place: nothing of theirs is another afterwards.</summary>
    [Fact]
    public async Task No_write_changes_anything_of_another_organization()
    {
        var before = await StateAsync();
        var writes = AccessCalls.Endpoints(Catalog).Where(static endpoint => endpoint.Method != "GET" && RoleMatrix.Allows([Role.Developer], endpoint.Needs)).ToList();
        Assert.True(writes.Count > 5);
        var random = SeededRandom();
        foreach (var (method, path, _) in writes)
        {
            // What ends something of our own would leave less to try with.
            var ours = method == "DELETE" || path.EndsWith(":cancel", StringComparison.Ordinal) || path.EndsWith(":revoke", StringComparison.Ordinal) ? [] : _mine.Ids;
            foreach (var id in ((string[])[.. _theirs.Ids, .. _theirs.Seen, .. _mine.Seen, .. ours]).Take(path.Contains('{', StringComparison.Ordinal) ? int.MaxValue : 1))
            {
                var target = Parameter().Replace(path, _ => id);
                foreach (var body in Bodies(random))
                {
                    using var response = await _developer.CallAsync(method, target, body.ToJsonString());
                    Assert.NotEqual(HttpStatusCode.InternalServerError, response.StatusCode);
                    var answer = await response.Content.ReadAsStringAsync();
                    Assert.False(response.IsSuccessStatusCode && _theirs.Ids.Any(theirs => answer.Contains(theirs, StringComparison.OrdinalIgnoreCase)), $"{method} {target} {body}: {answer}");
                }
            }
        }

        Assert.Equal(before, await StateAsync());
    }

    /// <summary>What fails is tried again with <c>OPENPLATFORM_SEED</c>.</summary>
    private static Random SeededRandom()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("OPENPLATFORM_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        TestContext.Current.TestOutputHelper!.WriteLine($"OPENPLATFORM_SEED={seed}"); // printed when it fails
        return new(seed);
    }

    private IEnumerable<JsonObject> Bodies(Random random) =>
    [
        [],
        new() { ["name"] = "taken over" },
        new() { ["organizationId"] = _theirs.Organization, ["name"] = "smuggled" },
        new() { ["organizationId"] = _mine.Organization, ["name"] = "mine too" },
        new() { ["applicationId"] = _theirs.Application },
        new() { ["applicationId"] = _theirs.Application, ["type"] = "api-key" },
        new() { ["applicationId"] = _theirs.Application, ["versionId"] = _theirs.Version, ["planId"] = _theirs.Plan },
        new() { ["applicationId"] = _theirs.Application, ["versionId"] = Any(random), ["planId"] = _mine.Plan },
        new() { ["planId"] = _mine.Plan },
        new() { ["planId"] = Any(random) },
    ];

    /// <summary>Some id that exists.</summary>
    private string Any(Random random)
    {
        string[] all = [.. _theirs.Ids, .. _mine.Ids, .. _theirs.Seen, .. _mine.Seen];
        return all[random.Next(all.Length)];
    }

    /// <summary>A path with every id, or, where it has more than one, with what belongs together and with chance.</summary>
    private IEnumerable<string> Targets(string path, Random random)
    {
        var count = Parameter().Matches(path).Count(static match => match.Value.Contains(":guid", StringComparison.Ordinal));
        IEnumerable<string[]> ids = count switch
        {
            0 => [[]],
            1 => ((string[])[.. _theirs.Ids, .. _theirs.Seen, .. _mine.Ids, .. _mine.Seen]).Select(static id => new[] { id }),
            _ =>
            [
                [_mine.Api, _mine.Version], [_theirs.Api, _theirs.Version], [_mine.Api, _theirs.Version], [_theirs.Api, _mine.Version],
                .. Enumerable.Range(0, 20).Select(_ => new[] { Any(random), Any(random) }),
            ],
        };
        return ids.Select(given =>
        {
            var next = 0;
            return Parameter().Replace(path, match => match.Value.Contains(":guid", StringComparison.Ordinal) ? given[next++] : match.Value == "{operationId}" ? "list" : random.Next(1, 4).ToString(CultureInfo.InvariantCulture));
        });
    }

    private IEnumerable<string> Queries(IReadOnlyList<string> cursors, Random random)
    {
        yield return "";
        yield return $"?cursor={cursors[random.Next(cursors.Count)]}&limit=200";
        yield return "?" + string.Join('&', new[] { "application", "organization", "subscription", "api", "version", "plan", "id" }.Select(name => $"{name}={Any(random)}"));
        yield return $"?organization={_theirs.Organization}&limit=1";
        yield return $"?application={_theirs.Application}";
        yield return $"?subscription={_theirs.Subscription}";
        for (var i = 0; i < 6; i++)
        {
            var chosen = new List<string>();
            foreach (var name in (string[])["application", "organization", "subscription", "api", "version", "plan"])
            {
                Perhaps(4, $"{name}={Any(random)}");
            }

            Perhaps(2, "groupBy=" + string.Join(',', ((string[])["organization", "application", "subscription", "api", "version", "operation", "status", "statusClass", "organization_id", ""]).Where(_ => random.Next(3) == 0)));
            Perhaps(2, "granularity=" + ((string[])["hour", "day", "month", "total", "year"])[random.Next(5)]);
            Perhaps(5, "operation=" + ((string[])["list", "get", "%00"])[random.Next(3)]);
            Perhaps(5, "status=" + ((string[])["200", "2xx", "404", "0"])[random.Next(4)]);
            Perhaps(5, "state=" + ((string[])["active", "pending", "none"])[random.Next(3)]);
            Perhaps(5, "from=2020-01-01T00:00:00Z");
            Perhaps(5, "format=csv");
            Perhaps(2, "limit=" + ((string[])["1", "2", "200"])[random.Next(3)]);
            Perhaps(3, "cursor=" + cursors[random.Next(cursors.Count)]);
            yield return chosen.Count == 0 ? "?limit=1" : "?" + string.Join('&', chosen);

            void Perhaps(int oneOf, string parameter)
            {
                if (random.Next(oneOf) == 0)
                {
                    chosen.Add(parameter);
                }
            }
        }
    }

    private async Task<HttpResponseMessage> ReadAsync(string target, Random random)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, target);
        if (random.Next(3) == 0)
        {
            request.Headers.TryAddWithoutValidation("Accept", ((string[])["text/csv", "text/csv;q=0.9, application/json", "*/*"])[random.Next(3)]);
        }

        if (random.Next(3) == 0)
        {
            request.Headers.TryAddWithoutValidation("If-None-Match", ((string[])["*", "\"1\"", "W/\"1\", \"2\"", "nonsense"])[random.Next(4)]);
        }

        return await _developer.SendAsync(request);
    }

    /// <summary>The answer for an id of theirs is that for an id of nobody, to the letter.</summary>
    private async Task IsAsIfItWereNotThereAsync(string target, string query, HttpStatusCode status, string text)
    {
        Assert.True((int)status is 400 or 404, $"{target}{query}: {(int)status} {text}");
        var (nobodys, expected) = (target, text);
        foreach (var id in _theirs.Ids)
        {
            var other = Guid.CreateVersion7().ToString();
            (nobodys, expected) = (nobodys.Replace(id, other, StringComparison.Ordinal), expected.Replace(id, other, StringComparison.Ordinal));
        }

        using var response = await _developer.GetAsync(nobodys + query);
        Assert.Equal(status, response.StatusCode);
        Assert.Equal(Trace().Replace(expected, ""), Trace().Replace(await response.Content.ReadAsStringAsync(), ""));
    }

    /// <summary>Of an answer of usage: the total, or the sum of the rows of CSV.</summary>
    private static long UnitsOf(HttpResponseMessage response, string text) => response.Content.Headers.ContentType?.MediaType == "text/csv"
        ? text.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Skip(1).Sum(static row => long.Parse(row.Split(',')[^1], CultureInfo.InvariantCulture))
        : JsonNode.Parse(text)!["totalUnits"]!.GetValue<long>();

    /// <summary>What a cursor in a link says, in the form that ids have in it.</summary>
    private static string CursorText(string link)
    {
        if (Cursor().Match(link) is not { Success: true } cursor || !Base64Url.IsValid(cursor.Groups["cursor"].Value))
        {
            return "";
        }

        var bytes = Base64Url.DecodeFromChars(cursor.Groups["cursor"].Value);
        return bytes.Length == 16 ? new Guid(bytes, bigEndian: true).ToString() : System.Text.Encoding.Latin1.GetString(bytes);
    }

    /// <summary>Where the lists of an owner go on: inside what is theirs.</summary>
    private async Task<IReadOnlyList<string>> CursorsAsync(IEnumerable<string> reads)
    {
        var cursors = new List<string> { "AAAAAAAAAAAAAAAAAAAAAA" };
        foreach (var path in reads.Where(static path => !path.Contains('{', StringComparison.Ordinal)).Append($"/admin/v1/apis/{_mine.Api}/versions/{_mine.Version}/callers"))
        {
            using var page = await _owner.GetAsync(path + "?limit=1");
            if (page.Headers.TryGetValues("Link", out var links) && Cursor().Match(links.Single()) is { Success: true } cursor)
            {
                cursors.Add(cursor.Groups["cursor"].Value);
            }
        }

        Assert.True(cursors.Count > 3);
        return cursors;
    }

    /// <summary>Every row of the other partner, as text.</summary>
    private async Task<string> StateAsync()
    {
        await using var connection = new NpgsqlConnection(_connection);
        return await connection.QuerySingleAsync<string>(
            """
            select concat_ws(E'\n',
                (select string_agg(o::text, ' ' order by id) from organizations o where id = @organization),
                (select string_agg(a::text, ' ' order by id) from applications a where organization_id = @organization),
                (select string_agg(c::text, ' ' order by c.id) from credentials c join applications a on a.id = c.application_id where organization_id = @organization),
                (select string_agg(s::text, ' ' order by s.id) from subscriptions s join applications a on a.id = s.application_id where organization_id = @organization))
            """, new { organization = Guid.Parse(_theirs.Organization) });
    }

    private async Task CountUsageAsync(params (Partner Partner, string Version, int Units)[] used)
    {
        using var gateway = Catalog.Gateway();
        var minute = DateTimeOffset.UtcNow.AddMinutes(-3).ToString("yyyy-MM-ddTHH:mm:00Z", CultureInfo.InvariantCulture);
        using var accepted = await gateway.PostAsJsonAsync("/internal/v1/usage", new
        {
            gateway = "g-1", epoch = Guid.NewGuid(), sequence = 1,
            items = used.Select(item => new { minute, subscriptionId = item.Partner.Subscription, applicationId = item.Partner.Application, versionId = item.Version, operationId = "list", status = 200, units = item.Units }),
        });
        Assert.True(accepted.IsSuccessStatusCode, await accepted.Content.ReadAsStringAsync());
    }

    [GeneratedRegex(@"\{[^}]+\}", RegexOptions.NonBacktracking)]
    private static partial Regex Parameter();

    [GeneratedRegex("cursor=(?<cursor>[^&>]+)", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Cursor();

    [GeneratedRegex("\"traceId\":\"[0-9a-f]+\"", RegexOptions.NonBacktracking)]
    private static partial Regex Trace();

    private sealed record Partner(string Name, string Organization, string Application, string Credential, string Subscription, string Api, string Version, string Plan)
    {
        /// <summary>What is of this partner alone.</summary>
        public string[] Ids => [Organization, Application, Credential, Subscription];

        /// <summary>What is for all to see.</summary>
        public string[] Seen => [Api, Version, Plan];

        public IEnumerable<string> Secrets => Ids.Append(Name);

        public static async Task<Partner> CreateAsync(HttpClient owner, string name)
        {
            var label = $"partner-{name}-{Guid.NewGuid():N}";
            var organization = (await owner.CreateAsync("organizations", new { name = label })).Id();
            var application = (await owner.CreateAsync("applications", new { organizationId = organization, name = label })).Id();
            var credential = (await owner.CreateAsync("credentials", new { applicationId = application })).Id();
            var body = await new Parts(owner).BodyAsync("subscriptions");
            body["applicationId"] = application;
            var subscription = (await owner.CreateAsync("subscriptions", body)).Id();
            var version = body["versionId"]!.GetValue<string>();
            var api = JsonNode.Parse(await owner.GetStringAsync("/admin/v1/apis?limit=200"))!["items"]!.AsArray().Single(api => api!["versions"]!.AsArray().Any(its => its!.Id() == version))!;
            return new(label, organization, application, credential, subscription, api.Id(), version, body["planId"]!.GetValue<string>());
        }
    }
}
