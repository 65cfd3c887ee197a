using System.Net;
using System.Text.Json.Nodes;
using OpenPlatform.Cli;
using OpenPlatform.Tests.Catalog;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

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
        using var client = _catalog.Anonymous();
        var document = JsonNode.Parse(await client.GetStringAsync("/openapi/v1.json", Stop))!;
        foreach (var (kind, columns) in OpenPlatform.Cli.Commands.GetCommand.Columns)
        {
            var page = Schema(document["paths"]![$"/admin/v1/{kind}"]!["get"]!["responses"]!["200"]!["content"]!["application/json"]!["schema"]!);
            var item = Schema(page["properties"]!["items"]!["items"]!);
            Assert.All(columns, column => Assert.True(item["properties"]![column.Path] is not null, $"{kind}: {column.Path}"));
        }

        JsonNode Schema(JsonNode node) => node["$ref"]?.GetValue<string>() is { } reference ? document["components"]!["schemas"]![reference.Split('/')[^1]]! : node;
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
