using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog.Access;

/// <summary>Two partners, each with everything a partner can have. Neither gets to see or touch anything of the other.</summary>
[Collection(Beside.Name)]
public sealed partial class IsolationTests(SharedPostgres postgres) : IAsyncLifetime
{
    private string _connection = "";
    private CatalogServer _catalog = null!;
    private Partner _mine = null!;
    private Partner _theirs = null!;
    private HttpClient _developer = null!;
    private HttpClient _owner = null!;

    public async ValueTask InitializeAsync()
    {
        _connection = await postgres.CreateDatabaseAsync();
        _catalog = new(_connection);
        await _catalog.ReadyAsync();
        _owner = _catalog.Operator();
        _mine = await Partner.CreateAsync(_owner, "mine");
        _theirs = await Partner.CreateAsync(_owner, "theirs");
        await CountUsageAsync(_mine);
        await CountUsageAsync(_theirs);
        _developer = _catalog.With((await _owner.TokenAsync("developer", _mine.Organization)).Token);
    }

    public async ValueTask DisposeAsync()
    {
        _developer.Dispose();
        _owner.Dispose();
        await _catalog.DisposeAsync();
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

    /// <summary>Every GET that a developer may call, with every id of the other partner in every place and filter, and with the cursors of an owner.</summary>
    [Fact]
    public async Task No_read_shows_anything_of_another_organization()
    {
        var random = new Random(20260101);
        var reads = AccessCalls.Endpoints(_catalog).Where(static endpoint => endpoint.Method == "GET" && RoleMatrix.Allows([Role.Developer], endpoint.Needs)).Select(static endpoint => endpoint.Path).ToList();
        Assert.True(reads.Count > 8);
        var cursors = await CursorsAsync(reads);
        var tried = 0;
        foreach (var path in reads)
        {
            foreach (var id in _theirs.Ids.Concat(_mine.Ids))
            {
                var target = Parameter().Replace(path, match => match.Value.Contains(":guid", StringComparison.Ordinal) ? (random.Next(4) == 0 ? _theirs.Ids[random.Next(_theirs.Ids.Length)] : id) : random.Next(1, 4).ToString(CultureInfo.InvariantCulture));
                foreach (var query in Queries(id, cursors, random))
                {
                    tried++;
                    using var response = await _developer.GetAsync(target + query);
                    Assert.NotEqual(HttpStatusCode.InternalServerError, response.StatusCode);
                    var text = await response.Content.ReadAsStringAsync() + string.Concat(response.Headers.SelectMany(static header => header.Value));
                    // What was asked with may be named in the refusal; that it is theirs, and all else of theirs, may not.
                    foreach (var secret in _theirs.Ids.Append(_theirs.Name).Where(secret => !(target + query).Contains(secret, StringComparison.Ordinal) || response.IsSuccessStatusCode && !query.Contains(secret, StringComparison.Ordinal)))
                    {
                        Assert.False(text.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{target}{query} shows {secret}: {text}");
                    }
                }
            }
        }

        Assert.True(tried > 500);
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
        var writes = AccessCalls.Endpoints(_catalog).Where(static endpoint => endpoint.Method != "GET" && RoleMatrix.Allows([Role.Developer], endpoint.Needs)).ToList();
        Assert.True(writes.Count > 5);
        foreach (var (method, path, _) in writes)
        {
            foreach (var id in _theirs.Ids)
            {
                var target = Parameter().Replace(path, _ => id);
                foreach (var body in Bodies())
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

    private IEnumerable<JsonObject> Bodies() =>
    [
        [],
        new() { ["name"] = "taken over" },
        new() { ["organizationId"] = _theirs.Organization, ["name"] = "smuggled" },
        new() { ["organizationId"] = _mine.Organization, ["name"] = "mine too" },
        new() { ["applicationId"] = _theirs.Application },
        new() { ["applicationId"] = _theirs.Application, ["type"] = "api-key" },
        new() { ["applicationId"] = _theirs.Application, ["versionId"] = _theirs.Version, ["planId"] = _theirs.Plan },
        new() { ["planId"] = _mine.Plan },
    ];

    private IEnumerable<string> Queries(string id, IReadOnlyList<string> cursors, Random random)
    {
        yield return "";
        yield return "?limit=200";
        yield return $"?cursor={cursors[random.Next(cursors.Count)]}&limit=200";
        yield return "?" + string.Join('&', new[] { "application", "organization", "subscription", "api", "version", "plan", "id" }.Select(name => $"{name}={id}"));
        yield return $"?organization={_theirs.Organization}&limit=1";
        yield return $"?application={_theirs.Application}";
        yield return $"?subscription={_theirs.Subscription}";
    }

    /// <summary>Where the lists of an owner go on: inside what is theirs.</summary>
    private async Task<IReadOnlyList<string>> CursorsAsync(IEnumerable<string> reads)
    {
        var cursors = new List<string> { "AAAAAAAAAAAAAAAAAAAAAA" };
        foreach (var path in reads.Where(static path => !path.Contains('{', StringComparison.Ordinal)))
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

    private async Task CountUsageAsync(Partner partner)
    {
        using var gateway = _catalog.Gateway();
        using var accepted = await gateway.PostAsJsonAsync("/internal/v1/usage", new
        {
            gateway = "g-1", epoch = Guid.NewGuid(), sequence = 1,
            items = new[]
            {
                new { minute = DateTimeOffset.UtcNow.AddMinutes(-3).ToString("yyyy-MM-ddTHH:mm:00Z", CultureInfo.InvariantCulture), subscriptionId = partner.Subscription, applicationId = partner.Application, versionId = partner.Version, operationId = "list", status = 200, units = 7 },
            },
        });
        Assert.True(accepted.IsSuccessStatusCode, await accepted.Content.ReadAsStringAsync());
    }

    [GeneratedRegex(@"\{[^}]+\}", RegexOptions.NonBacktracking)]
    private static partial Regex Parameter();

    [GeneratedRegex("cursor=(?<cursor>[^&>]+)", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Cursor();

    private sealed record Partner(string Name, string Organization, string Application, string Credential, string Subscription, string Version, string Plan)
    {
        /// <summary>What is of this partner alone. Versions and plans are for all to see.</summary>
        public string[] Ids => [Organization, Application, Credential, Subscription];

        public static async Task<Partner> CreateAsync(HttpClient owner, string name)
        {
            var label = $"partner-{name}-{Guid.NewGuid():N}";
            var organization = (await owner.CreateAsync("organizations", new { name = label })).Id();
            var application = (await owner.CreateAsync("applications", new { organizationId = organization, name = label })).Id();
            var credential = (await owner.CreateAsync("credentials", new { applicationId = application })).Id();
            var body = await new Parts(owner).BodyAsync("subscriptions");
            body["applicationId"] = application;
            var subscription = (await owner.CreateAsync("subscriptions", body)).Id();
            return new(label, organization, application, credential, subscription, body["versionId"]!.GetValue<string>(), body["planId"]!.GetValue<string>());
        }
    }
}
