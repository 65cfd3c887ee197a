using System.Text.Json.Nodes;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Protocols;

namespace OpenPlatform.Tests.Catalog;

[Collection(Beside.Name)]
public sealed class OpenApiDocumentTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private const string Linter = "@stoplight/spectral-cli@6.16.3";

    private static readonly HashSet<string> Methods = new(StringComparer.Ordinal) { "get", "put", "post", "delete", "patch", "head", "options" };

    /// <summary>Spectral, which nobody here wrote, with all its rules for OpenAPI but one (whom to write to, nobody but the deployment knows); a warning is a failure too.</summary>
    [Fact]
    public async Task The_document_is_clean_for_spectral()
    {
        NodePeers.Require("npm");
        var folder = Directory.CreateTempSubdirectory("openplatform-spectral-").FullName;
        try
        {
            var document = Path.Combine(folder, "openapi.json");
            await File.WriteAllTextAsync(document, (await DocumentAsync()).ToJsonString());
            await Gateway.Protocols.PeerTests.RunAsync("npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error", Linter);

            // Ends with something else than 0 when there is anything, which is then the message of the failure.
            await Gateway.Protocols.PeerTests.RunAsync("node", Path.Combine(folder, "node_modules", "@stoplight", "spectral-cli", "dist", "index.js"),
                "lint", document, "--ruleset", Path.Combine(Repository.Root, "OpenPlatform.Tests", "Catalog", "spectral.json"), "--fail-severity", "hint");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Every_operation_tells_its_problems_its_parameters_and_what_it_needs()
    {
        var document = await DocumentAsync();
        var operations = document["paths"]!.AsObject().SelectMany(static path => path.Value!.AsObject()
            .Where(static member => Methods.Contains(member.Key)).Select(member => (Path: path.Key, Method: member.Key, Operation: member.Value!.AsObject()))).ToList();
        Assert.True(operations.Count > 40);

        foreach (var (path, method, operation) in operations)
        {
            var what = $"{method} {path}";
            var answers = operation["responses"]!.AsObject();
            var parameters = (operation["parameters"]?.AsArray() ?? []).Select(static parameter => parameter!["name"]!.GetValue<string>()).ToList();
            Assert.True(answers.Any(static answer => answer.Key.StartsWith('2')), what);
            foreach (var (status, answer) in answers.Where(static answer => answer.Key[0] is '4' or '5'))
            {
                Assert.True(answer!["content"]?["application/problem+json"]?["schema"] is not null, $"{what} {status}");
            }

            foreach (var status in path == "/admin/v1/login" ? new[] { "401", "429", "503" } : ["401", "403", "503"])
            {
                Assert.True(answers.ContainsKey(status), $"{what} does not tell of {status}");
            }

            if (path.Contains('{', StringComparison.Ordinal))
            {
                Assert.True(answers.ContainsKey("404"), $"{what} does not tell of 404");
            }

            if (method is "patch" or "delete" or "put")
            {
                Assert.True(parameters.Contains("If-Match"), $"{what} changes without If-Match");
                Assert.True(answers.ContainsKey("412") && answers.ContainsKey("428"), what);
            }

            if (parameters.Contains("cursor"))
            {
                Assert.Contains("limit", parameters);
            }

            if (method == "post" && path != "/admin/v1/login")
            {
                Assert.True(parameters.Contains("Idempotency-Key"), what);
            }

            Assert.All(parameters.Except(["If-Match", "Idempotency-Key"]), name => Assert.True(char.IsLower(name![0]), $"{what} {name}"));
            Assert.Matches("Needs (the permission [A-Za-z]+|no token)\\.$", operation["description"]!.GetValue<string>());
        }
    }

    /// <summary>What answers more than one thing gives it in pages, and says how.</summary>
    [Fact]
    public async Task Every_list_has_a_cursor_and_a_limit_of_200()
    {
        // Bounded by what they are: the jobs that the catalog is made of, and the keys that sign tokens, of which old ones go.
        string[] bounded = ["ListJobs", "ListTokenKeys"];
        var document = await DocumentAsync();
        var lists = document["paths"]!.AsObject().Select(static path => path.Value!["get"]).OfType<JsonObject>()
            .Select(get => (Name: get["operationId"]!.GetValue<string>(), Get: get))
            .Where(list => list.Name.StartsWith("List", StringComparison.Ordinal) || AnswersItems(document, list.Get)).ToList();
        Assert.True(lists.Count > 20, string.Join(' ', lists.Select(static list => list.Name)));

        var withoutPages = lists.Where(static list => !HasPages(list.Get)).Select(static list => list.Name);

        Assert.Equal(bounded, withoutPages.Order(StringComparer.Ordinal));
    }

    private static bool HasPages(JsonObject get)
    {
        var parameters = (get["parameters"]?.AsArray() ?? []).ToDictionary(static parameter => parameter!["name"]!.GetValue<string>(), static parameter => parameter!["schema"]!.AsObject(), StringComparer.Ordinal);
        return parameters.ContainsKey("cursor") && parameters.TryGetValue("limit", out var limit)
            && (limit["minimum"]?.GetValue<int>(), limit["maximum"]?.GetValue<int>()) == (1, 200);
    }

    private static bool AnswersItems(JsonObject document, JsonObject get)
    {
        var schema = get["responses"]!["200"]?["content"]?["application/json"]?["schema"];
        schema = schema?["$ref"] is { } reference ? document["components"]!["schemas"]![reference.GetValue<string>().Split('/')[^1]] : schema;
        return schema?["properties"]?["items"] is not null;
    }

    private async Task<JsonObject> DocumentAsync()
    {
        using var client = fixture.Catalog.Anonymous();
        using var response = await client.GetAsync("/openapi/v1.json");
        return await response.JsonAsync();
    }
}
