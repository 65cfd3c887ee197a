using System.Text.Json.Nodes;
using OpenPlatform.Cli;
using OpenPlatform.Cli.Documents;

namespace OpenPlatform.Tests.Cli;

public sealed class DocumentSetTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("openplatform-documents-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_folder_is_one_document_and_every_place_keeps_its_file_and_line()
    {
        Write("1-backends.yaml", "backends:\n  - name: orders\n    service: orders\n");
        Write("2-more.yml", "# a comment\nbackends:\n  - name: stock\n    service: stock\nplans: []\n");
        Write("notes.txt", "not read");

        var documents = Read();
        Assert.Equal(["orders", "stock"], documents.Root["backends"]!.AsArray().Select(static b => b!["name"]!.GetValue<string>()));
        Assert.EndsWith("1-backends.yaml:3: /backends/0/service", documents.PlaceOf("/backends/0/service"), StringComparison.Ordinal);
        Assert.EndsWith("2-more.yml:4: /backends/1/service", documents.PlaceOf("/backends/1/service"), StringComparison.Ordinal);
        Assert.Equal("/applications/0", documents.PlaceOf("/applications/0"));
    }

    [Fact]
    public void Variables_come_from_the_environment_and_a_missing_one_is_named_with_its_line()
    {
        Write("a.yaml", "applications:\n  - name: demo\n    credentials:\n      - key: ${KEY}\n");
        var documents = Read(static name => name == "KEY" ? "secret" : null);
        Assert.Equal("secret", documents.Root["applications"]![0]!["credentials"]![0]!["key"]!.GetValue<string>());

        var failure = Assert.Throws<CommandFailure>(() => Read());
        Assert.Equal(ExitCode.Usage, failure.Code);
        Assert.Contains("a.yaml:4: /applications/0/credentials/0/key: needs the environment variable KEY", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_OpenAPI_document_in_a_file_of_its_own_is_put_in_its_place()
    {
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "documents"));
        Write("documents/orders.yaml", "openapi: 3.1.0\ninfo: { title: Orders, version: '1' }\n");
        Write("apis.yaml", "apis:\n  - name: orders\n    openApi: documents/orders.yaml\n");
        Assert.Equal("Orders", Read().Root["apis"]![0]!["openApi"]!["info"]!["title"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("backends: [", "a.yaml:2:1: ")]
    [InlineData("just text", "a.yaml:1: must be an object")]
    [InlineData("\nbackends: { name: orders }", "a.yaml:2: /backends: must be a list")]
    [InlineData("apis:\n  - openApi: missing.yaml", "missing.yaml")]
    public void What_cannot_be_read_is_a_usage_error_with_its_place(string text, string expected)
    {
        Write("a.yaml", text);
        var failure = Assert.Throws<CommandFailure>(() => Read());
        Assert.Equal(ExitCode.Usage, failure.Code);
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_tool_writes_as_YAML_it_reads_as_the_same()
    {
        var random = new Random(20261126);
        for (var i = 0; i < 500; i++)
        {
            var node = new JsonObject { ["items"] = new JsonArray(Value(random, 0), Value(random, 0)) };
            Write("a.yaml", OpenPlatform.Cli.Output.YamlOf(node));
            Assert.Equal(node.ToJsonString(), Read().Root.ToJsonString());
        }
    }

    private static JsonNode? Value(Random random, int depth) => random.Next(depth > 3 ? 5 : 7) switch
    {
        0 => null,
        1 => random.Next(2) == 0,
        2 => random.Next(-1000, 1000),
        3 => random.Next(1000) / 8.0,
        4 => new string([.. Enumerable.Range(0, random.Next(12)).Select(_ => "ab:#-'\"\\\n\t{}[]&*!|>%@` 0é文"[random.Next(25)])]),
        5 => new JsonArray([.. Enumerable.Range(0, random.Next(3)).Select(_ => Value(random, depth + 1))]),
        _ => new JsonObject(Enumerable.Range(0, random.Next(3)).Select(n => KeyValuePair.Create($"{new[] { "a", "true", "1", "a: b" }[random.Next(4)]}{n}", Value(random, depth + 1)))),
    };

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder.FullName, name), text);

    private DocumentSet Read(Func<string, string?>? variable = null) => DocumentSet.Read([_folder.FullName], variable ?? (static _ => null));
}
