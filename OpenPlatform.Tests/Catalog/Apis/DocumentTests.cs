using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.Catalog.Apis;

/// <summary>OpenAPI documents: read from JSON and YAML, checked, linted, compared, and answered from.</summary>
public sealed class DocumentTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private const string Yaml =
        """
        openapi: 3.1.0
        info: { title: Orders, version: "1.0", description: Orders of a shop. }
        security: [ { key: [] } ]
        paths:
          /orders:
            get:
              operationId: listOrders
              summary: All orders.
              parameters:
                - { name: state, in: query, schema: { type: string, enum: [ open, closed ] } }
              responses:
                "200":
                  description: The orders.
                  headers: { X-Total: { schema: { type: integer } } }
                  content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Order" } } } }
            post:
              operationId: createOrder
              summary: A new order.
              requestBody:
                required: true
                content: { application/json: { schema: { $ref: "#/components/schemas/NewOrder" } } }
              responses:
                "201": { description: Made., content: { application/json: { schema: { $ref: "#/components/schemas/Order" }, example: { id: o-1, state: open } } } }
          /orders/{id}:
            parameters: [ { name: id, in: path, required: true, schema: { type: string, maxLength: 40 } } ]
            get:
              operationId: getOrder
              summary: One order.
              responses:
                "200": { $ref: "#/components/responses/OneOrder" }
        components:
          securitySchemes:
            key: { type: apiKey, in: header, name: X-Api-Key }
            token: { type: oauth2, flows: {} }
          responses:
            OneOrder: { description: The order., content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } }
          schemas:
            NewOrder:
              type: object
              required: [ item ]
              additionalProperties: false
              properties:
                item: { type: string, minLength: 1 }
                count: { type: integer, minimum: 1, maximum: 100 }
                note: { type: [ string, "null" ] }
            Order:
              type: object
              required: [ id, state ]
              properties:
                id: { type: string }
                state: { type: string, enum: [ open, closed ] }
                count: { type: integer }
                parent: { $ref: "#/components/schemas/Order" }
        """;

    [Fact]
    public async Task A_yaml_document_is_imported_whole_and_shown_as_it_came()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin, Yaml);
        body["validateBodies"] = true;

        var api = await admin.CreateAsync("apis", body);

        Assert.Empty(api["versions"]![0]!["warnings"]!.AsArray());
        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.ApiId.ToString() == api.Id());
        Assert.Equal(["GET /orders", "POST /orders", "GET /orders/{id}"], model.Operations.Select(operation => $"{operation.Method} {operation.PathTemplate}"));
        var create = model.Operations[1].Policies!;
        Assert.Equal((true, "application/json"), (create.Body!.Required, Assert.Single(create.Body.MediaTypes!)));
        Assert.Equal("""{"$ref":"#/components/schemas/NewOrder"}""", create.RequestSchema!.Value.GetRawText());
        Assert.Equal(["NewOrder"], model.Policies!.Schemas!.Keys); // Order is only answered
        var shown = await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}/revisions/1");
        Assert.Equal("3.1.0", shown!["document"]!["openapi"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("openapi: 3.1.0\ninfo: {", "/openApi")]
    [InlineData("[1, 2]", "/openApi")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\npaths: { /a: { get: { responses: { ok: {} } } } }", "/openApi/paths/~1a/get/responses/ok")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\npaths: { /a: { get: { parameters: [ { name: x, in: body } ] } } }", "/openApi/paths/~1a/get/parameters/0/in")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\npaths: { /a: { get: { requestBody: { $ref: 'other.yaml#/x' } } } }", "/openApi/paths/~1a/get/requestBody/$ref")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\npaths: { /a: { get: { security: [ { nobody: [] } ] } } }", "/openApi/paths/~1a/get/security/0/nobody")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\ncomponents: { schemas: { A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/A' } } }\npaths: { /a: { get: {} } }", "/openApi/components/schemas/A/$ref")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\npaths: { /a: { get: { responses: { default: { description: x, content: { application/json: { schema: { $ref: '#/components/schemas/Eror' } } } } } } } }", "/openApi/paths/~1a/get/responses/default/content/application~1json/schema/$ref")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\ncomponents: { schemas: { A: { properties: { default: { $ref: 'other.yaml' } } } } }\npaths: { /a: { get: {} } }", "/openApi/components/schemas/A/properties/default/$ref")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\ncomponents: { schemas: { A: { properties: { enum: { properties: { example: { $ref: '#/nowhere' } } } } } } }\npaths: { /a: { get: {} } }", "/openApi/components/schemas/A/properties/enum/properties/example/$ref")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\npaths: { /a: { get: { <<: text } } }", "/openApi")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\npaths: { '/a/{id}': { get: { responses: { '200': { description: x } } } } }", "/openApi/paths/~1a~1{id}/get")]
    [InlineData("openapi: 3.1.0\ninfo: { title: a, version: b }\npaths: { /a: { post: { requestBody: { content: { application/json: { schema: { type: string, if: true } } } }, responses: {} } } }", "/openApi/paths/~1a/post/requestBody/content/application~1json/schema/if")]
    public async Task A_problem_in_yaml_is_named_by_its_pointer_there(string yaml, string pointer)
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin, yaml);
        body["validateBodies"] = true;
        using var response = await admin.PostAsJsonAsync("/admin/v1/apis", body);
        Assert.Contains(pointer, await response.ProblemAsync(HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public void What_is_data_may_look_like_a_reference()
    {
        var (json, _) = DocumentText.Parse("openapi: 3.1.0\ninfo: { title: a, version: b }\nx-parts: { $ref: elsewhere }\npaths: { x-a: { $ref: elsewhere }, /a: { get: { responses: { '200': { description: x, content: { application/json: { example: { $ref: no }, schema: { default: { $ref: no }, const: { $ref: no } } } } } } } } }");
        Assert.Empty(ApiDocument.Read(json!.Value).Problems);
    }

    [Fact]
    public void Parts_that_are_merged_in_yaml_are_there()
    {
        var (json, reason) = DocumentText.Parse(
            """
            openapi: 3.1.0
            info: { title: a, version: b }
            x-parts:
              failures: &failures
                "400": { description: Wrong. }
                default: { description: Broken. }
              more: &more { "400": { description: Very wrong. }, "404": { description: Gone. } }
            paths:
              /a:
                get:
                  responses: { "200": { description: Good. }, <<: *failures, "400": { description: Own. } }
                post:
                  responses: { <<: [ *more, *failures ] }
                put:
                  responses: { "<<": { description: Quoted. } }
            """);
        Assert.Null(reason);
        var paths = JsonNode.Parse(json!.Value.GetRawText())!["paths"]!["/a"]!;
        Assert.Equal("""{"200":{"description":"Good."},"400":{"description":"Own."},"default":{"description":"Broken."}}""", paths["get"]!["responses"]!.ToJsonString());
        Assert.Equal("""{"\u003C\u003C":{"description":"Quoted."}}""", paths["put"]!["responses"]!.ToJsonString());
        Assert.Equal("""{"400":{"description":"Very wrong."},"404":{"description":"Gone."},"default":{"description":"Broken."}}""", paths["post"]!["responses"]!.ToJsonString());
    }

    [Fact]
    public async Task A_document_alone_is_the_next_revision_and_policies_stay()
    {
        using var admin = fixture.Catalog.Operator();
        var body = await BodyAsync(admin, Yaml);
        body["policies"] = JsonNode.Parse("""{"timeouts":{"totalMilliseconds":9000}}""");
        body["operationPolicies"] = JsonNode.Parse("""{"getOrder":{"cost":7}}""");
        var api = await admin.CreateAsync("apis", body);
        var path = $"/admin/v1/apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}";

        using var next = await PutYamlAsync(admin, path + "/document", Yaml.Replace("summary: One order.", "summary: One single order.", StringComparison.Ordinal));
        Assert.True(next.StatusCode == HttpStatusCode.OK, await next.Content.ReadAsStringAsync());
        Assert.Equal(2, (await next.JsonAsync())["revision"]!.GetValue<int>());
        var model = Assert.Single((await fixture.Catalog.SnapshotAsync()).Apis, model => model.ApiId.ToString() == api.Id());
        Assert.Equal((9000, 7), (model.Policies!.Timeouts!.TotalMilliseconds, model.Operations[2].Policies!.Cost));

        using var breaking = await PutYamlAsync(admin, path + "/document", Yaml.Replace("maximum: 100", "maximum: 10", StringComparison.Ordinal));
        var problem = await breaking.JsonAsync();
        Assert.Equal(HttpStatusCode.Conflict, breaking.StatusCode);
        Assert.Equal("/components/schemas/NewOrder/properties/count", problem["errors"]![0]!["pointer"]!.GetValue<string>());

        using var check = await admin.PostAsync("/admin/v1/apis:check", new StringContent(Yaml.Replace("summary: One order.", "deprecated: true", StringComparison.Ordinal), Encoding.UTF8, "application/yaml"));
        Assert.Equal("operation-description-missing", Assert.Single((await check.JsonAsync())["findings"]!.AsArray())!["rule"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("listOrders", null, 200, """[{"id":"text","state":"closed","count":0}]""", false)]
    [InlineData("createOrder", null, 201, """{"id":"o-1","state":"open"}""", true)]
    [InlineData("getOrder", 200, 200, """{"id":"text","state":"closed","count":0}""", false)]
    public async Task The_mock_answer_of_an_operation_is_its_example_or_is_made_of_its_schema(string operation, int? status, int answered, string answer, bool isExample)
    {
        using var admin = fixture.Catalog.Operator();
        var api = await admin.CreateAsync("apis", await BodyAsync(admin, Yaml));
        var mock = await admin.GetFromJsonAsync<JsonObject>($"/admin/v1/apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}/operations/{operation}/mock{(status is null ? "" : $"?status={status}")}");
        Assert.Equal((answered, "application/json", isExample), (mock!["status"]!.GetValue<int>(), mock["contentType"]!.GetValue<string>(), mock["isExample"]!.GetValue<bool>()));
        Assert.Equal(answer, mock["body"]!.ToJsonString());
        using var none = await admin.GetAsync($"/admin/v1/apis/{api.Id()}/versions/{api["versions"]![0]!.Id()}/operations/{operation}/mock?status=404");
        await none.ProblemAsync(HttpStatusCode.NotFound);
    }

    public static TheoryData<string, string, string> Breaking() => new()
    {
        { "operation-removed", "  /orders/{id}:\n", "  /other/{id}:\n" },
        { "parameter-required-added", "- { name: state, in: query", "- { name: more, in: query, required: true }\n        - { name: state, in: query" },
        { "parameter-became-required", "name: state, in: query,", "name: state, in: query, required: true," },
        { "request-body-required", "", "" },
        { "request-media-type-removed", "content: { application/json: { schema: { $ref: \"#/components/schemas/NewOrder\" } } }", "content: { application/xml: {} }" },
        { "request-type-narrowed", "note: { type: [ string, \"null\" ] }", "note: { type: string }" },
        { "request-enum-value-removed", "in: query, schema: { type: string, enum: [ open, closed ] }", "in: query, schema: { type: string, enum: [ open ] }" },
        { "request-property-required", "required: [ item ]", "required: [ item, count ]" },
        { "request-property-refused", "note: { type: [ string, \"null\" ] }", "memo: { type: string }" },
        { "request-bound-tightened", "maxLength: 40", "maxLength: 30" },
        { "request-pattern-changed", "type: string, minLength: 1", "type: string, minLength: 1, pattern: \"^a\"" },
        { "request-alternative-removed", "item: { type: string, minLength: 1 }", "item: { oneOf: [ { type: integer }, { type: boolean } ] }" },
        { "response-removed", "\"201\": {", "\"202\": {" },
        { "response-media-type-removed", "content: { application/json: { schema: { type: array", "content: { text/csv: { schema: { type: array" },
        { "response-header-removed", "headers: { X-Total: { schema: { type: integer } } }", "headers: {}" },
        { "response-type-widened", "id: { type: string }", "id: { type: [ string, integer ] }" },
        { "response-enum-value-added", "state: { type: string, enum: [ open, closed ] }\n        count", "state: { type: string, enum: [ open, closed, lost ] }\n        count" },
        { "response-property-removed", "        count: { type: integer }\n        parent", "        parent" },
        { "response-property-optional", "required: [ id, state ]", "required: [ id ]" },
        { "response-format-changed", "", "" },
        { "response-alternative-added", "", "" },
        { "security-tightened", "security: [ { key: [] } ]", "security: [ { token: [ \"orders:read\" ] } ]" },
    };

    [Theory]
    [MemberData(nameof(Breaking))]
    public void Every_breaking_rule_finds_what_it_is_for_and_nothing_when_nothing_changed(string rule, string was, string becomes)
    {
        var (old, now) = rule switch
        {
            // Where the document above has nothing to take away, it is read the other way round.
            "request-body-required" => (Yaml.Replace("        required: true\n        content", "        content", StringComparison.Ordinal), Yaml),
            "response-format-changed" => (Yaml.Replace("id: { type: string }", "id: { type: string, format: uuid }", StringComparison.Ordinal), Yaml),
            "response-alternative-added" => (Either("{ type: string }"), Either("{ type: string }, { type: boolean }")),
            _ => (Yaml, Yaml.Replace(was, becomes, StringComparison.Ordinal)),
        };
        Assert.NotEqual(old, now);

        Assert.Contains(rule, Diff(old, now).Where(change => change.Breaking).Select(change => change.Rule));
        Assert.DoesNotContain(Diff(old, old), change => true);
        Assert.DoesNotContain(Diff(now, now), change => true);

        static string Either(string alternatives) => Yaml.Replace("id: { type: string }", $"id: {{ oneOf: [ {alternatives} ] }}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("- { name: state, in: query", "- { name: more, in: query }\n        - { name: state, in: query", "parameter-added")]
    [InlineData("count: { type: integer, minimum: 1, maximum: 100 }", "count: { type: integer, minimum: 0 }\n        color: { type: string }", "request-property-added")]
    [InlineData("parent: { $ref", "color: { type: string }\n        parent: { $ref", "response-property-added")]
    [InlineData("security: [ { key: [] } ]", "security: [ { key: [] }, { token: [] } ]", null)]
    [InlineData("name: id, in: path, required: true, schema: { type: string, maxLength: 40 }", "name: id, in: path, required: true, schema: { type: string }", null)]
    [InlineData("        enum: [ open, closed ]\n        count", "enum: [ open ]\n        count", null)]
    public void What_callers_do_not_notice_breaks_nothing(string was, string becomes, string? rule)
    {
        var changes = Diff(Yaml, Yaml.Replace(was, becomes, StringComparison.Ordinal));
        Assert.DoesNotContain(changes, change => change.Breaking);
        if (rule is not null)
        {
            Assert.Contains(rule, changes.Select(change => change.Rule));
        }
    }

    /// <summary>What said nothing and says something now takes something away from those who send; from those who read, the other way round.</summary>
    [Theory]
    [InlineData("request-type-narrowed", "{ type: array }", "{ type: array, items: { type: integer } }")]
    [InlineData("request-bound-tightened", "{ type: array, items: {} }", "{ type: array, items: {}, uniqueItems: true }")]
    [InlineData("request-bound-tightened", "{ type: integer }", "{ type: integer, multipleOf: 5 }")]
    [InlineData("request-bound-tightened", "{ type: integer, multipleOf: 5 }", "{ type: integer, multipleOf: 3 }")]
    [InlineData("request-property-refused", "{ type: object, properties: { a: {} } }", "{ type: object, properties: { a: {} }, additionalProperties: false }")]
    [InlineData("request-property-refused", "{ type: object, properties: { a: {} }, additionalProperties: { type: string } }", "{ type: object, properties: { a: {} }, additionalProperties: false }")]
    [InlineData("request-type-narrowed", "{ type: object }", "{ type: object, additionalProperties: { type: string } }")]
    [InlineData("request-type-narrowed", "{ type: object, additionalProperties: { type: [ string, integer ] } }", "{ type: object, additionalProperties: { type: string } }")]
    [InlineData("response-type-widened", "{ type: object, additionalProperties: { type: string } }", "{ type: object }")]
    public void What_was_open_is_a_change_when_it_closes(string rule, string was, string becomes)
    {
        Assert.Contains(rule, Diff(Of(was), Of(becomes)).Where(change => change.Breaking).Select(change => change.Rule));
        Assert.DoesNotContain(Diff(Of(becomes), Of(becomes)), change => true);
        // Read the other way round it breaks the other side, and this one not.
        Assert.DoesNotContain(Diff(Of(becomes), Of(was)), change => change.Breaking && change.Rule.StartsWith(rule.Split('-')[0], StringComparison.Ordinal) && !was.Contains("multipleOf", StringComparison.Ordinal));

        static string Of(string schema) => $$"""
            openapi: 3.1.0
            info: { title: a, version: b }
            paths:
              /a:
                post:
                  requestBody: { content: { application/json: { schema: {{schema}} } } }
                  responses: { "200": { description: x, content: { application/json: { schema: {{schema}} } } } }
            """;
    }

    [Theory]
    [InlineData("path-parameter-undeclared", "  /orders/{id}:", "  /orders/{id}/{more}:")]
    [InlineData("path-parameter-unused", "  /orders/{id}:", "  /orders/one:")]
    [InlineData("path-parameter-optional", "in: path, required: true", "in: path")]
    [InlineData("parameter-duplicate", "- { name: state, in: query", "- { name: state, in: query }\n        - { name: state, in: query")]
    [InlineData("operation-id-duplicate", "operationId: getOrder", "operationId: listOrders")]
    [InlineData("path-trailing-slash", "  /orders/{id}:", "  /orders/{id}/:")]
    [InlineData("path-has-query", "  /orders/{id}:", "  /orders/{id}?a:")]
    [InlineData("enum-duplicate", "[ open, closed ] } }", "[ open, open ] } }")]
    [InlineData("operation-id-missing", "operationId: getOrder", "deprecated: true")]
    [InlineData("operation-description-missing", "summary: One order.", "deprecated: true")]
    [InlineData("info-description-missing", ", description: Orders of a shop.", "")]
    [InlineData("success-response-missing", "\"200\": { $ref", "\"404\": { $ref")]
    [InlineData("response-schema-missing", "schema: { $ref: \"#/components/schemas/Order\" }, example: { id: o-1, state: open }", "example: 1")]
    [InlineData("get-has-body", "summary: One order.", "summary: One order.\n      requestBody: { content: {} }")]
    [InlineData("array-items-missing", "count: { type: integer }", "count: { type: array }")]
    [InlineData("required-property-undeclared", "required: [ id, state ]", "required: [ id, state, color ]")]
    [InlineData("example-invalid", "example: { id: o-1, state: open }", "example: { id: 5, state: open }")]
    [InlineData("security-missing", "security: [ { key: [] } ]", "security: []")]
    public void Every_lint_rule_finds_what_it_is_for(string rule, string was, string becomes)
    {
        var text = Yaml.Replace(was, becomes, StringComparison.Ordinal);
        Assert.NotEqual(Yaml, text);
        var findings = DocumentLint.Run(Read(text));
        Assert.Contains(rule, findings.Select(finding => finding.Rule));
        Assert.All(findings, finding => Assert.Equal(LintRules.All.Single(known => known.Id == finding.Rule).Severity, finding.Severity));
        Assert.Empty(DocumentLint.Run(Read(Yaml)));
    }

    /// <summary>Bytes of strangers: whatever is changed in a document, it is read or refused with problems, and everything that reads it ends.</summary>
    [Fact]
    public void Two_thousand_mutated_documents_crash_nothing()
    {
        var random = new Random(20260131);
        var json = JsonSerializer.Serialize(DocumentText.Parse(Yaml).Document);
        var original = Read(Yaml);
        string[] parts = ["null", "[]", "{}", "\"x\"", "1e999", "-0", "true", "\"$ref\"", "{\"$ref\":\"#/components/schemas/Order\"}", "{\"$ref\":\"#/paths\"}", "\"\\ud800\"", "\"\\u0000\"", "&a [*a]", "{{{{", "\t", "!!x", "oneOf", "allOf"];
        var read = 0;
        for (var i = 0; i < 2_000; i++)
        {
            var text = new StringBuilder(i % 2 == 0 ? json : Yaml);
            for (var n = random.Next(1, 5); n > 0; n--)
            {
                var at = random.Next(text.Length);
                _ = random.Next(4) switch
                {
                    0 => text.Remove(at, Math.Min(random.Next(1, 20), text.Length - at)),
                    1 => text.Insert(at, parts[random.Next(parts.Length)]),
                    2 => text.Replace(text[at], (char)random.Next(32, 127), at, 1),
                    _ => Swap(text, random, parts),
                };
            }

            var (document, reason) = DocumentText.Parse(text.ToString());
            if (document is not { } given)
            {
                Assert.NotEqual("", reason);
                continue;
            }

            var (api, problems) = ApiDocument.Read(given);
            Assert.Equal(api is null, problems.Count > 0);
            if (api is not null)
            {
                read++;
                DocumentLint.Run(api);
                DocumentDiff.Between(Whole(original), Whole(api));
                DocumentDiff.Between(Whole(api), Whole(original));
                DocumentImport.RequestSchemas(api);
                foreach (var operation in api.Operations)
                {
                    _ = MockAnswer.Of(operation, null)?.Text();
                }
            }
        }

        Assert.InRange(read, 200, 1_900); // neither everything nor nothing was refused
    }

    [Fact]
    public void Alternatives_within_alternatives_end()
    {
        // 12 levels of 6 alternatives, each of which is the next level: 6^12 pairs, if nobody counted.
        var levels = new JsonObject { ["L12"] = new JsonObject { ["type"] = "string" } };
        for (var i = 11; i >= 0; i--)
        {
            levels[$"L{i}"] = new JsonObject { ["oneOf"] = new JsonArray([.. Enumerable.Range(0, 6).Select(n => (JsonNode)new JsonObject { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = new JsonObject { [$"p{n}"] = new JsonObject { ["$ref"] = $"#/components/schemas/L{i + 1}" } } })]) };
        }

        var document = DocumentText.Parse(Yaml).Document!.Value;
        var node = JsonNode.Parse(document.GetRawText())!;
        node["components"]!["schemas"]!["NewOrder"] = new JsonObject { ["$ref"] = "#/components/schemas/L0" };
        foreach (var (name, level) in levels)
        {
            node["components"]!["schemas"]![name] = level!.DeepClone();
        }

        var old = ApiDocument.Stored(node.ToJsonString())!;
        node["components"]!["schemas"]!["L12"]!["type"] = "integer";
        var now = ApiDocument.Stored(node.ToJsonString())!;

        Assert.Contains(DocumentDiff.Between(Whole(old), Whole(now)), change => change.Breaking);
        DocumentLint.Run(now);
        Assert.NotNull(MockAnswer.Of(now.Operations[0], null));
    }

    [Fact]
    public void The_rules_are_those_of_the_documentation()
    {
        Assert.Equal(
            LintRules.All.Select(rule => ($"`{rule.Id}`", rule.Severity.ToString().ToLowerInvariant(), rule.Explanation)),
            Repository.Table("docs/publishing.md", "| Rule | Severity | Finds that |").Select(row => (row[0], row[1], row[2])));
        Assert.Equal(
            DiffRules.All.Select(rule => ($"`{rule.Id}`", rule.Breaking ? "yes" : "no", rule.Explanation)),
            Repository.Table("docs/publishing.md", "| Rule | Breaks | Finds that |").Select(row => (row[0], row[1], row[2])));
        Assert.Equal(DiffRules.All.Where(rule => rule.Breaking && rule != DiffRules.TooComplex).Select(rule => rule.Id).Order(), Breaking().Select(row => row.Data.Item1).Order());
    }

    private static StringBuilder Swap(StringBuilder text, Random random, string[] parts)
    {
        var whole = text.ToString();
        var from = whole.IndexOf(':', random.Next(whole.Length));
        return from < 0 ? text : text.Insert(from + 1, " " + parts[random.Next(parts.Length)]);
    }

    private static IReadOnlyList<RevisionChange> Diff(string old, string now) => DocumentDiff.Between(Whole(Read(old)), Whole(Read(now)));

    private static DiffedRevision Whole(ApiDocument document) => DiffedRevision.Of(document.Operations.Select(operation => (operation.Method, operation.Path)), document);

    private static ApiDocument Read(string yaml)
    {
        var (json, reason) = DocumentText.Parse(yaml);
        Assert.True(json is not null, reason);
        var (document, problems) = ApiDocument.Read(json.Value);
        Assert.True(document is not null, string.Join("; ", problems));
        return document;
    }

    private static async Task<JsonObject> BodyAsync(HttpClient admin, string yaml)
    {
        var body = await new Parts(admin).BodyAsync("apis");
        body.Remove("operations");
        body["openApi"] = yaml;
        return body;
    }

    private static async Task<HttpResponseMessage> PutYamlAsync(HttpClient admin, string path, string yaml)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = new StringContent(yaml, Encoding.UTF8, "application/yaml") };
        request.Headers.TryAddWithoutValidation("If-Match", "*");
        return await admin.SendAsync(request);
    }
}
