using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Cli;
using OpenPlatform.Cli.Commands;
using OpenPlatform.Contracts;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;
using Tables = OpenPlatform.Tests.Architecture.Repository;

namespace OpenPlatform.Tests.Cli;

/// <summary>From files to an answered call, through the tool, a real catalog and a real gateway.</summary>
public sealed class CatalogLoopTests(SharedPostgres postgres) : IAsyncLifetime
{
    private const string Key = "key-of-the-pipeline-0123456789";

    private readonly CliProcess _cli = new();
    private CatalogServer _catalog = null!;
    private string _server = "";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static string Samples => Path.Combine(Repository.Root, "samples", "orders-catalog");

    public async ValueTask InitializeAsync()
    {
        _catalog = new(await postgres.CreateDatabaseAsync());
        await _catalog.ReadyAsync();
        using var client = _catalog.Anonymous();
        _server = client.BaseAddress!.ToString();
        _cli.With("PIPELINE_KEY", Key);
    }

    public async ValueTask DisposeAsync()
    {
        _cli.Dispose();
        await _catalog.DisposeAsync();
    }

    /// <summary>A column that nothing stands in is a name that is written wrong.</summary>
    [Fact]
    public async Task Every_column_of_a_table_is_a_member_of_what_the_catalog_answers()
    {
        var document = await DocumentAsync();
        foreach (var (name, kind) in GetCommand.Kinds)
        {
            var item = ItemOrNull(document, document["paths"]![$"/admin/v1/{kind.Path}"]!["get"]!)!;
            Assert.All(kind.Columns, column =>
            {
                var member = column.Path.Split('.').Aggregate((JsonNode?)item, (at, step) => at is null ? null : Schema(document, at)["properties"]?[step]);
                Assert.True(member is not null, $"{name}: {column.Path}");
                Assert.All(column.Each, each => Assert.True(Schema(document, Schema(document, member)["items"]!)["properties"]![each] is not null, $"{name}: {column.Path}, {each}"));
            });
            Assert.Contains(kind.Keys, key => item["properties"]![key] is not null);
            Assert.All(kind.NamedBy ?? [], key => Assert.True(item["properties"]![key] is not null, $"{name}: {key}"));
            Assert.True(document["paths"]![$"/admin/v1/{kind.Path}/{{{(kind.Reads == OneIsRead.ByNumber ? "revision" : "id")}}}"] is not null == (kind.Reads != OneIsRead.Never), $"{name}: reads one");
        }
    }

    /// <summary>Usage has a command of its own, because it is summed up.</summary>
    [Fact]
    public async Task Every_list_of_the_admin_API_is_there_to_get_and_documented()
    {
        var document = await DocumentAsync();
        var lists = document["paths"]!.AsObject().Where(path => path.Key.StartsWith("/admin/v1/", StringComparison.Ordinal) && path.Value!["get"] is { } get && ItemOrNull(document, get) is not null)
            .Select(static path => path.Key["/admin/v1/".Length..]).Where(static path => path.Split('/')[0] != "usage");
        Assert.Equal(lists.Order(StringComparer.Ordinal), GetCommand.Kinds.Values.Select(static kind => kind.Path).Order(StringComparer.Ordinal));

        var documented = Tables.Table("docs/command-line.md", "| `get` | Written behind it |").SelectMany(static row => row[0].Split(", ").Select(kind => (Kind: kind.Trim('`'), Behind: row[1]))).ToArray();
        Assert.Equal(GetCommand.Kinds.Keys.Order(StringComparer.Ordinal), documented.Select(static row => row.Kind).Order(StringComparer.Ordinal));
        Assert.All(documented, static row => Assert.StartsWith(GetCommand.Kinds[row.Kind].Of is { } of ? $"`{of}`" : "nothing", row.Behind, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_belongs_to_something_is_listed_and_shown_by_the_names_of_both()
    {
        await LoginAsync();
        (await _cli.RunAsync("apply", "-f", Samples, "--yes")).Ended(0);
        var changed = Copy("changed", static text => text.Replace("totalMilliseconds: 10000", "totalMilliseconds: 9000", StringComparison.Ordinal));
        (await _cli.RunAsync("apply", "-f", changed, "--yes")).Ended(0);

        Assert.Matches("(?m)^v1 +published +2 +/orders/v1 ", (await _cli.RunAsync("get", "versions", "orders")).Ended(0).Output);
        Assert.Equal("/orders/v1", (await JsonAsync("get", "versions", "orders/v1"))["basePath"]!.GetValue<string>());
        var revisions = (await JsonAsync("get", "revisions", "orders/v1")).AsArray();
        Assert.Equal([(1, false), (2, true)], revisions.Select(static r => (r!["revision"]!.GetValue<int>(), r["inForce"]!.GetValue<bool>())));
        Assert.Equal(10_000, (await JsonAsync("get", "revisions", "orders/v1/1"))["policies"]!["timeouts"]!["totalMilliseconds"]!.GetValue<int>());
        (await _cli.RunAsync("get", "revisions", "orders/v1/3")).Ended((int)ExitCode.NotFound);
        Assert.Matches("(?m)^1 +100 60 ", (await _cli.RunAsync("get", "plan-revisions", "standard")).Ended(0).Output);
        Assert.Empty((await JsonAsync("get", "callers", "orders/v1")).AsArray());
        Assert.NotEmpty((await JsonAsync("get", "jobs")).AsArray());
        Assert.True((await JsonAsync("get", "config-revisions", "1"))["revision"]!.GetValue<long>() == 1);
        (await _cli.RunAsync("get", "instances", "no-such-backend")).Ended((int)ExitCode.NotFound);
        Assert.Contains("openplatform get revisions API/VERSION", (await _cli.RunAsync("get", "revisions", "orders")).Ended((int)ExitCode.Usage).Errors, StringComparison.Ordinal);

        // Two gateways that see one instance differently.
        using var gateway = _catalog.Gateway();
        var backend = Guid.Parse((await JsonAsync("get", "backends", "orders")).Id());
        foreach (var (name, state, because) in new (string, string, string?)[] { ("gw-1", "ready", null), ("gw-2", "ejected", "connect-failed") })
        {
            using var told = await gateway.PostAsJsonAsync(InternalApi.InstancesPath, new InstanceReport(name, [new(backend, "orders-1", "http://10.0.0.1:8080", "a", "lease", 100, state, because)]), Stop);
            Assert.Equal(HttpStatusCode.NoContent, told.StatusCode);
        }

        Assert.Matches(@"(?m)^http://10\.0\.0\.1:8080 +a +lease +100 +gw-1 ready, gw-2 ejected connect-failed +orders-1 *$", (await _cli.RunAsync("get", "instances", "orders")).Ended(0).Output);
    }

    [Fact]
    public async Task A_draft_goes_into_force_once_and_what_its_state_does_not_allow_ends_with_5_and_the_reason()
    {
        await LoginAsync();
        await File.WriteAllTextAsync(Path.Combine(_cli.Home, "things.yaml"), """
            backends:
              - { name: things, service: things }
            apis:
              - name: things
                version: v1
                basePath: /things/v1
                backend: things
                operations: [ GET /things ]
            """, Stop);
        (await _cli.RunAsync("apply", "-f", "things.yaml", "--yes")).Ended(0);
        using var admin = _catalog.Operator();
        var api = await JsonAsync("get", "apis", "things");
        var version = await JsonAsync("get", "versions", "things/v1");
        await DraftAsync("GET /things", "GET /more");
        Assert.Equal((1, 2), await RevisionsAsync());

        Assert.Contains("the draft is revision 2", (await _cli.RunAsync("publish", "things/v1", "--revision", "7")).Ended((int)ExitCode.Conflict).Errors, StringComparison.Ordinal);
        Assert.Contains("things/v1: done.", (await _cli.RunAsync("publish", "things/v1")).Ended(0).Errors, StringComparison.Ordinal);
        Assert.Equal((2, null), await RevisionsAsync());
        Assert.Contains("/more", (await _catalog.SnapshotAsync()).Apis.Single(static a => a.BasePath == "/things/v1").Operations.Select(static operation => operation.PathTemplate));

        // Nothing is left to be published, which says why; nor does what breaks callers go into force, which says what.
        Assert.Contains("the version has no draft", (await _cli.RunAsync("publish", "things/v1")).Ended((int)ExitCode.Conflict).Errors, StringComparison.Ordinal);
        await DraftAsync("GET /things");
        Assert.Contains("operation-removed: GET /more is gone", (await _cli.RunAsync("publish", "things/v1", "--revision", "3")).Ended((int)ExitCode.Conflict).Errors, StringComparison.Ordinal);
        Assert.Equal((2, 3), await RevisionsAsync());
        Assert.Contains("published", (await _cli.RunAsync("retire", "things/v1", "--yes")).Ended((int)ExitCode.Conflict).Errors, StringComparison.Ordinal);
        (await _cli.RunAsync("publish", "things/v9")).Ended((int)ExitCode.NotFound);

        async Task DraftAsync(params string[] operations)
        {
            using var written = await admin.ActAsync($"apis/{api.Id()}/versions/{version.Id()}/revisions", "*", new
            {
                draft = true, backendId = version["backendId"]!.GetValue<string>(),
                operations = operations.Select(static (o, i) => new { operationId = $"operation{i}", method = o.Split(' ')[0], pathTemplate = o.Split(' ')[1] }),
            });
            Assert.True(written.IsSuccessStatusCode, await written.Content.ReadAsStringAsync(Stop));
        }

        async Task<(int? InForce, int? Draft)> RevisionsAsync()
        {
            var now = await JsonAsync("get", "versions", "things/v1");
            return (now["revision"]?.GetValue<int>(), now["draft"]?.GetValue<int>());
        }
    }

    [Fact]
    public async Task What_breaks_callers_is_shown_with_whom_it_concerns_and_not_applied()
    {
        await LoginAsync();
        (await _cli.RunAsync("apply", "-f", Samples, "--yes")).Ended(0);
        var breaking = Copy("breaking", static text => text.Replace("        /slow:", "        /slower:", StringComparison.Ordinal));

        var shown = (await _cli.RunAsync("diff", "-f", breaking)).Ended((int)ExitCode.Differs).Output;
        Assert.Matches("(?m)^~ api orders/v1 ", shown);
        Assert.Matches("(?m)^breaking orders/v1 .*: operation-removed: GET /slow is gone *$", shown);
        Assert.Matches("(?m)^affects acme/shop *$", shown);
        Assert.Contains("1 change to come.", shown, StringComparison.Ordinal);

        // The same before it asks; and without being asked it is refused at its place.
        var asked = (await _cli.RunAsync("apply", "-f", breaking)).Ended((int)ExitCode.Usage);
        Assert.Equal(shown, asked.Output);
        var refused = (await _cli.RunAsync("apply", "-f", breaking, "--yes")).Ended((int)ExitCode.Refused);
        Assert.Matches(@"(?m)10-orders-api\.yaml:\d+: .*operation-removed: GET /slow is gone", refused.Errors);
        Assert.Equal(2, refused.Errors.Split("operation-removed").Length); // said once, at its place
        Assert.Empty(refused.Output);
        Assert.Equal(1, (await JsonAsync("get", "versions", "orders/v1"))["revision"]!.GetValue<int>());
        Assert.Contains("Nothing changes.", (await _cli.RunAsync("diff", "-f", Samples)).Ended(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_person_with_an_account_logs_in_with_a_password_and_may_do_what_the_role_may()
    {
        const string Password = "correct horse battery";
        using var admin = _catalog.Operator();
        await admin.CreateAsync("accounts", new { name = "mara", password = Password, roles = new[] { "auditor" } });

        var wrong = (await _cli.RunAsync("not the password\n", ["login", "--account", "mara", "--server", _server])).Ended((int)ExitCode.Denied).Errors;
        Assert.Contains("Name or password is wrong", wrong, StringComparison.Ordinal);
        Assert.DoesNotContain("token", wrong, StringComparison.Ordinal); // nobody has given one
        (await _cli.RunAsync("get", "apis", "--server", _server)).Ended((int)ExitCode.Denied);
        var done = (await _cli.RunAsync(Password + "\n", ["login", "--account", "mara", "--server", _server])).Ended(0);
        Assert.Contains("Logged in", done.Errors, StringComparison.Ordinal);

        Assert.Equal("mara", (await JsonAsync("get", "accounts", "mara"))["name"]!.GetValue<string>());
        Assert.Contains("permission", (await _cli.RunAsync("apply", "-f", Samples, "--yes")).Ended((int)ExitCode.Denied).Errors, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, await File.ReadAllTextAsync(Path.Combine(_cli.Home, "openplatform", "servers.json"), Stop), StringComparison.Ordinal);
        (await _cli.RunAsync("logout")).Ended(0);
        (await _cli.RunAsync("get", "apis", "--server", _server)).Ended((int)ExitCode.Denied);
    }

    [Fact]
    public async Task The_Orders_example_is_applied_called_exported_and_taken_back()
    {
        Assert.Contains("log in again", (await _cli.RunAsync("a-wrong-token\n", ["login", "--server", _server])).Ended((int)ExitCode.Denied).Errors, StringComparison.Ordinal);
        await LoginAsync();
        var files = Copy("files", static text => text.Replace("    organization: acme\n", "    organization: acme\n    credentials: [ { name: ci, key: \"${PIPELINE_KEY}\" } ]\n", StringComparison.Ordinal));

        // What would come, and what came; after that nothing is left to do.
        Assert.Contains("+ api orders/v1", (await _cli.RunAsync("diff", "-f", files)).Ended((int)ExitCode.Differs).Output, StringComparison.Ordinal);
        Assert.Contains("Nobody can answer here", (await _cli.RunAsync("apply", "-f", files)).Ended((int)ExitCode.Usage).Errors, StringComparison.Ordinal);
        Assert.Contains("made.", (await _cli.RunAsync("apply", "-f", files, "--yes")).Ended(0).Output, StringComparison.Ordinal);
        Assert.Contains("Nothing changes.", (await _cli.RunAsync("diff", "-f", files)).Ended(0).Output, StringComparison.Ordinal);

        await using var backend = await TestBackend.StartAsync();
        await using (var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false, settings:
        [
            ("services:catalog:http:0", _server), ("services:orders:http:0", backend.Address.ToString()),
            ("OpenPlatform:ServiceToken", CatalogServer.ServiceToken), ("OpenPlatform:KeyPepper", CatalogServer.Pepper),
        ]))
        {
            using var client = gateway.Client(Key);
            await Eventually.TrueAsync(async () =>
            {
                using var response = await client.GetAsync("/orders/v1/orders", Stop);
                return response.StatusCode == HttpStatusCode.OK;
            });
        }

        // What is exported puts back as it is, and no secret is in it.
        var exported = Path.Combine(_cli.Home, "export.yaml");
        (await _cli.RunAsync("export", "--file", exported)).Ended(0);
        Assert.DoesNotContain(Key, await File.ReadAllTextAsync(exported, Stop), StringComparison.Ordinal);
        Assert.Contains("Nothing changes.", (await _cli.RunAsync("diff", "-f", exported)).Ended(0).Output, StringComparison.Ordinal);

        Assert.Contains("orders", (await _cli.RunAsync("get", "apis")).Ended(0).Output, StringComparison.Ordinal);
        Assert.Equal("acme", JsonNode.Parse((await _cli.RunAsync("get", "organizations", "acme", "-o", "json")).Ended(0).Output)!["name"]!.GetValue<string>());
        (await _cli.RunAsync("get", "plans", "no-such-plan")).Ended((int)ExitCode.NotFound);
        (await _cli.RunAsync("logout")).Ended(0);
        (await _cli.RunAsync("get", "apis", "--server", _server)).Ended((int)ExitCode.Denied);
    }

    [Fact]
    public async Task What_the_catalog_refuses_is_named_by_file_and_line_and_nothing_is_changed()
    {
        await LoginAsync();
        await File.WriteAllTextAsync(Path.Combine(_cli.Home, "bad.yaml"), "backends:\n  - name: fine\n    service: fine\n  - name: NOT A NAME\n    service: x\n", Stop);
        var refused = (await _cli.RunAsync("apply", "-f", "bad.yaml", "--yes")).Ended((int)ExitCode.Refused);
        Assert.Contains("bad.yaml:4", refused.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("fine", (await _cli.RunAsync("get", "backends")).Ended(0).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_earlier_revision_comes_back()
    {
        await LoginAsync();
        (await _cli.RunAsync("apply", "-f", Samples, "--yes")).Ended(0);
        var changed = Copy("changed", static text => text.Replace("totalMilliseconds: 10000", "totalMilliseconds: 9000", StringComparison.Ordinal));
        (await _cli.RunAsync("apply", "-f", changed, "--yes")).Ended(0);
        (await _cli.RunAsync("rollback", "orders/v1", "--to", "1")).Ended(0);
        Assert.Contains("Nothing changes.", (await _cli.RunAsync("diff", "-f", Samples)).Ended(0).Output, StringComparison.Ordinal);
        (await _cli.RunAsync("rollback", "orders/v9", "--to", "1")).Ended((int)ExitCode.NotFound);
        Assert.NotEqual(0, (await _cli.RunAsync("rollback", "orders/v1", "--to", "77")).ExitCode);
    }

    private async Task<JsonNode> JsonAsync(params string[] arguments) => JsonNode.Parse((await _cli.RunAsync([.. arguments, "-o", "json"])).Ended(0).Output)!;

    private async Task<JsonNode> DocumentAsync()
    {
        using var client = _catalog.Anonymous();
        return JsonNode.Parse(await client.GetStringAsync("/openapi/v1.json", Stop))!;
    }

    /// <summary>The schema of what the answer is a list of; null: it is no list.</summary>
    private static JsonNode? ItemOrNull(JsonNode document, JsonNode operation) =>
        operation["responses"]!["200"]?["content"]?["application/json"]?["schema"] is { } answer && Schema(document, answer)["properties"]?["items"]?["items"] is { } item ? Schema(document, item) : null;

    /// <summary>What is meant: behind a reference, and without null.</summary>
    private static JsonNode Schema(JsonNode document, JsonNode node) =>
        node["$ref"]?.GetValue<string>() is { } reference ? document["components"]!["schemas"]![reference.Split('/')[^1]]!
        : (node["oneOf"] ?? node["anyOf"]) is JsonArray ways ? Schema(document, ways.First(static way => way!["$ref"] is not null)!)
        : node;

    private async Task LoginAsync()
    {
        (await _cli.RunAsync(CatalogServer.AdminToken + "\n", ["login", "--server", _server])).Ended(0);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_cli.Home, "openplatform", "servers.json")));
        }
    }

    /// <summary>The example in a folder of the tool's, changed.</summary>
    private string Copy(string name, Func<string, string> change)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_cli.Home, name)).FullName;
        foreach (var file in Directory.EnumerateFiles(Samples))
        {
            File.WriteAllText(Path.Combine(folder, Path.GetFileName(file)), change(File.ReadAllText(file)));
        }

        return folder;
    }
}
