using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Gateway.StandAlone;
using OpenPlatform.Gateway.Usage;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.StandAlone;

/// <summary>A gateway with a file and nothing else: no catalog, no Postgres, no Redis.</summary>
public sealed class StandAloneTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("openplatform-file-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string FilePath => Path.Combine(_folder, "gateway.yaml");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_file_is_served_without_catalog_Postgres_and_Redis()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var gateway = await StartAsync(Document(backend));
        using var client = gateway.Client("key-in-the-file");

        Assert.Equal(HttpStatusCode.OK, await CallAsync(client, "/orders/v1/orders"));
        Assert.Equal(HttpStatusCode.OK, await CallAsync(client, "/orders/v1/orders/7"));
        Assert.Equal(HttpStatusCode.TooManyRequests, await CallAsync(client, "/orders/v1/orders"));
        using var stranger = gateway.Client("another-key");
        Assert.Equal(HttpStatusCode.Unauthorized, await CallAsync(stranger, "/orders/v1/orders"));
        Assert.Null(gateway.Services.GetService<UsageSpool>());
    }

    [Fact]
    public async Task A_change_of_the_file_is_served_and_a_bad_one_leaves_the_old_in_force()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var gateway = await StartAsync(Document(backend));
        using var client = gateway.Client("key-in-the-file");

        await File.WriteAllTextAsync(FilePath, Document(backend).Replace("/orders/v1", "/shop/v1", StringComparison.Ordinal), Stop);
        await Eventually.TrueAsync(() => gateway.Snapshot.Current?.Revision == 2);
        Assert.Equal(HttpStatusCode.OK, await CallAsync(client, "/shop/v1/orders"));

        await File.WriteAllTextAsync(FilePath, Document(backend) + "\n  half [", Stop);
        await File.WriteAllTextAsync(FilePath, Document(backend).Replace("plan: small", "plan: none", StringComparison.Ordinal), Stop);
        Assert.Equal(HttpStatusCode.OK, await CallAsync(client, "/shop/v1/orders"));
        await File.WriteAllTextAsync(FilePath, Document(backend) + "# repaired\n", Stop);
        await Eventually.TrueAsync(() => gateway.Snapshot.Current?.Revision == 3);
        Assert.Equal(HttpStatusCode.NotFound, await CallAsync(client, "/shop/v1/orders"));
    }

    [Fact]
    public async Task A_file_behind_links_that_are_replaced_is_read_again()
    {
        // As Kubernetes mounts a ConfigMap: gateway.yaml → ..data/gateway.yaml, and ..data → a folder for each version.
        await using var backend = await TestBackend.StartAsync();
        await WriteVersionAsync("..1", Document(backend));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "..data"), "..1");
        File.CreateSymbolicLink(FilePath, "..data/gateway.yaml");
        await using var gateway = await GatewayHost.StartAsync(catalog: null, settings: ("snapshot", FilePath));

        await WriteVersionAsync("..2", Document(backend).Replace("/orders/v1", "/shop/v1", StringComparison.Ordinal));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "..data_tmp"), "..2");
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs mv -T.");
        Assert.True(await Inotify.RunsAsync(["mv", "-T", Path.Combine(_folder, "..data_tmp"), Path.Combine(_folder, "..data")])); // in one step

        await Eventually.TrueAsync(() => gateway.Snapshot.Current?.Revision == 2);
        using var client = gateway.Client("key-in-the-file");
        Assert.Equal(HttpStatusCode.OK, await CallAsync(client, "/shop/v1/orders"));

        Task WriteVersionAsync(string folder, string document)
        {
            Directory.CreateDirectory(Path.Combine(_folder, folder));
            return File.WriteAllTextAsync(Path.Combine(_folder, folder, "gateway.yaml"), document, Stop);
        }
    }

    [Theory]
    [InlineData("instances")]
    [InlineData("watches")]
    public async Task Where_the_system_refuses_to_watch_the_gateway_says_so_once_and_looks_at_its_interval(string exhausted)
    {
        var without = await Inotify.WithoutAsync(exhausted);
        await using var backend = await TestBackend.StartAsync();
        await File.WriteAllTextAsync(FilePath, Document(backend), Stop);
        var instances = Directory.CreateDirectory(Path.Combine(_folder, "instances")).FullName;
        await using var gateway = await ServiceProcess.StartAsync("OpenPlatform.Gateway.dll", Processes.Environment(
        [
            ("snapshot", FilePath), ("OpenPlatform:StateDirectory", Path.Combine(_folder, "state")), ("OpenPlatform:Gateway:Warmup:Requests", "0"),
            ("OpenPlatform:Gateway:Snapshots:PollInterval", "00:00:01"), ("OpenPlatform:Gateway:Instances:Directory", instances), ("OpenPlatform:Gateway:Instances:FilePoll", "00:00:00.1"),
        ]), through: without);
        using var client = new HttpClient { BaseAddress = gateway.Address, DefaultRequestHeaders = { { "X-Api-Key", "key-in-the-file" } } };
        Assert.Equal(HttpStatusCode.OK, await CallAsync(client, "/orders/v1/orders"));

        await File.WriteAllTextAsync(FilePath, Document(backend).Replace("/orders/v1", "/shop/v1", StringComparison.Ordinal), Stop);
        await Eventually.TrueAsync(async () => await CallAsync(client, "/shop/v1/orders") == HttpStatusCode.OK);

        foreach (var folder in (string[])[_folder, instances])
        {
            Assert.Single(gateway.Output.Split('\n'), line => line.Contains($"Changes in {folder} ", StringComparison.Ordinal) && line.Contains($"fs.inotify.max_user_{exhausted}", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_limit_is_not_given_anew_by_a_change_of_the_file()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var gateway = await StartAsync(Document(backend));
        using var client = gateway.Client("key-in-the-file");
        Assert.Equal(HttpStatusCode.OK, await CallAsync(client, "/orders/v1/orders"));
        Assert.Equal(HttpStatusCode.OK, await CallAsync(client, "/orders/v1/orders"));

        await File.WriteAllTextAsync(FilePath, Document(backend) + "# touched\n", Stop);
        await Eventually.TrueAsync(() => gateway.Snapshot.Current?.Revision == 2);

        Assert.Equal(HttpStatusCode.TooManyRequests, await CallAsync(client, "/orders/v1/orders"));
    }

    [Theory]
    [InlineData("backend: orders", "backend: order", "12: /apis/0/backend: names no backend: order")]
    [InlineData("windowSeconds: 3600", "windowSecond: 3600", "18: /plans/0/rateLimits/0/windowSecond: is not known here; check its spelling and its place")]
    [InlineData("requests: 2,", "requests: many,", "18: /plans/0/rateLimits/0/requests: has the wrong type or is not one of the allowed values")]
    [InlineData("basePath: /orders/v1", "basePath: orders", "11: /apis/0/basePath: must be one or more segments of letters, digits, '.', '_' or '-', such as /orders/v1, without a trailing slash")]
    [InlineData("plan: small", "plan: big", "24: /applications/0/subscriptions/0/plan: names no plan: big")]
    [InlineData("api: orders/v1", "api: orders/v9", "24: /applications/0/subscriptions/0/api: names no API version: orders/v9")]
    [InlineData("- GET /orders\n", "- /orders\n", "14: /apis/0/operations/0/method: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")]
    [InlineData("key-in-the-file", "${NOT_SET_ANYWHERE}", "22: /applications/0/credentials/0/key: needs the environment variable NOT_SET_ANYWHERE, which is not set")]
    [InlineData("basePath: /orders/v1", "basePath: [", "11:")]
    [InlineData("  - name: small", "  - name: small\n    name: large", "1")]
    public async Task A_bad_file_is_refused_with_line_and_field(string good, string bad, string expected)
    {
        await using var backend = await TestBackend.StartAsync();
        var document = Document(backend);
        Assert.Contains(good, document, StringComparison.Ordinal);
        await File.WriteAllTextAsync(FilePath, document.Replace(good, bad, StringComparison.Ordinal), Stop);
        var output = new StringWriter();

        Assert.Equal(1, GatewayCommand.Answer(["--snapshot", FilePath, "--check"], output));

        Assert.StartsWith($"{FilePath}:{expected}", output.ToString().TrimEnd(), StringComparison.Ordinal);
        Assert.DoesNotContain("key-in-the-file", output.ToString(), StringComparison.Ordinal);
        var atStart = new StringWriter();
        Assert.Equal(1, GatewayCommand.Answer(["--snapshot", FilePath], atStart)); // before anything runs
        Assert.Equal(output.ToString(), atStart.ToString());
        await Assert.ThrowsAnyAsync<InvalidOperationException>(() => GatewayHost.StartAsync(catalog: null, untilReady: false, settings: ("snapshot", FilePath)));
    }

    [Theory]
    [InlineData(0, "orders.yaml")]
    [InlineData(1, "policies.yaml")]
    public void The_examples_of_the_documentation_are_the_samples_and_can_be_served(int example, string sample)
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs/snapshot-file.md")).Split("```yaml")[example + 1].Split("```")[0];
        Assert.Equal(File.ReadAllText(Path.Combine(Repository.Root, "samples/snapshot-file", sample)).Trim(), text.Trim());
        File.WriteAllText(FilePath, text.Replace("${", "_{", StringComparison.Ordinal)); // any text will do as a key

        var output = new StringWriter();
        Assert.True(GatewayCommand.Answer(["--snapshot", FilePath, "--check"], output) == 0, output.ToString());
    }

    [Fact]
    public async Task Whatever_a_file_holds_it_is_served_or_refused_and_never_a_crash()
    {
        await using var backend = await TestBackend.StartAsync();
        var document = Document(backend);
        var random = new Random(1);
        const string Pieces = "[]{}:,-&*!|>'\"%@` \n\t#~?0aé\0";
        for (var i = 0; i < 2000; i++)
        {
            var text = new System.Text.StringBuilder(document);
            for (var change = random.Next(1, 4); change > 0; change--)
            {
                var at = random.Next(text.Length);
                _ = random.Next(3) switch
                {
                    0 => text.Remove(at, Math.Min(random.Next(1, 40), text.Length - at)),
                    1 => text.Insert(at, Pieces[random.Next(Pieces.Length)]),
                    _ => text.Insert(at, document.AsSpan(random.Next(document.Length / 2), random.Next(document.Length / 2))),
                };
            }

            await File.WriteAllTextAsync(FilePath, text.ToString(), Stop);
            var output = new StringWriter();
            Assert.InRange(GatewayCommand.Answer(["--snapshot", FilePath, "--check"], output)!.Value, 0, 1);
            Assert.NotEqual("", output.ToString());
        }
    }

    [Fact]
    public void A_file_that_can_be_served_is_left_to_the_gateway_and_none_at_all_is_a_wrong_use()
    {
        File.WriteAllText(FilePath, """{"backends":[],"apis":[],"plans":[],"applications":[]}""");
        Assert.Null(GatewayCommand.Answer(["--snapshot", FilePath], TextWriter.Null));
        Assert.Null(GatewayCommand.Answer(["--urls", "http://127.0.0.1:0"], TextWriter.Null));
        Assert.Equal(2, GatewayCommand.Answer(["--snapshot"], TextWriter.Null));
        Assert.Equal(2, GatewayCommand.Answer(["--check"], TextWriter.Null));
    }

    [Fact]
    public void Json_is_the_same_form()
    {
        File.WriteAllText(FilePath, """{"backends":[{"name":"b","addresses":["http://localhost:1"]}],"apis":[{"name":"a","version":"v1","basePath":"/a","backend":"b","operations":["GET /"]}]}""");
        Assert.Equal(0, GatewayCommand.Answer(["--snapshot", FilePath, "--check"], TextWriter.Null));
    }

    private static string Document(TestBackend backend) => $$"""
        # what a small gateway needs
        backends:
          - name: orders
            addresses:
              - {{backend.Address}}

        apis:
          - name: orders
            version: v1
            # where it is
            basePath: /orders/v1
            backend: orders
            operations:
              - GET /orders
              - GET /orders/{id}
        plans:
          - name: small
            rateLimits: [ { requests: 2, windowSeconds: 3600 } ]
        applications:
          - name: demo
            credentials:
              - key: key-in-the-file
            subscriptions:
              - { api: orders/v1, plan: small }

        """;

    private async Task<GatewayHost> StartAsync(string document)
    {
        await File.WriteAllTextAsync(FilePath, document, Stop);
        return await GatewayHost.StartAsync(catalog: null, settings: ("snapshot", FilePath));
    }

    private static async Task<HttpStatusCode> CallAsync(HttpClient client, string path)
    {
        using var response = await client.GetAsync(path, Stop);
        return response.StatusCode;
    }
}
