using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Schemas;

namespace OpenPlatform.Tests.Contracts;

public sealed class JsonSchemaTests
{
    private static readonly Dictionary<string, JsonElement> Definitions = new(StringComparer.Ordinal)
    {
        ["Order"] = Json("""{"type":"object","required":["sku"],"properties":{"sku":{"type":"string"},"parts":{"type":"array","items":{"$ref":"#/components/schemas/Order"}}},"additionalProperties":false}"""),
        ["a/b"] = Json("""{"type":"integer"}"""),
    };

    [Theory]
    [InlineData("""{"type":"string"}""", "\"x\"", "1")]
    [InlineData("""{"type":"integer"}""", "1.0", "1.5")]
    [InlineData("""{"type":"integer"}""", "1e20", "\"1\"")]
    [InlineData("""{"type":"number"}""", "1.5", "null")]
    [InlineData("""{"type":["string","null"]}""", "null", "1")]
    [InlineData("""{"type":"string","nullable":true}""", "null", "true")]
    [InlineData("""{"type":"boolean"}""", "false", "0")]
    [InlineData("""{"enum":[1,"a",{"x":[1]}]}""", """{"x":[1.0]}""", """{"x":[2]}""")]
    [InlineData("""{"const":{"a":1,"b":2}}""", """{"b":2,"a":1}""", """{"a":1}""")]
    [InlineData("""{"minimum":1,"maximum":3}""", "3", "3.0000001")]
    [InlineData("""{"minimum":1,"exclusiveMinimum":true}""", "1.1", "1")]
    [InlineData("""{"exclusiveMinimum":true,"minimum":1}""", "1.1", "1")]
    [InlineData("""{"exclusiveMinimum":1}""", "1.1", "1")]
    [InlineData("""{"exclusiveMinimum":1,"minimum":0}""", "1.1", "1")]
    [InlineData("""{"minimum":5,"exclusiveMinimum":1}""", "5", "4")]
    [InlineData("""{"maximum":3,"exclusiveMaximum":true}""", "2", "3")]
    [InlineData("""{"maximum":0.1}""", "0.1", "0.10000000000000001")]
    [InlineData("""{"maximum":1e300}""", "1e299", "1e301")]
    [InlineData("""{"minLength":2,"maxLength":2}""", "\"\ud83d\ude00\ud83d\ude00\"", "\"\ud83d\ude00\"")]
    [InlineData("""{"pattern":"^a+$"}""", "\"aaa\"", "\"ab\"")]
    [InlineData("""{"pattern":"b"}""", "\"abc\"", "\"ac\"")]
    [InlineData("""{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":2}""", """["a"]""", """["a",1]""")]
    [InlineData("""{"maxItems":1}""", "[1]", "[1,2]")]
    [InlineData("""{"minItems":1}""", "[1]", "[]")]
    [InlineData("""{"uniqueItems":true}""", """[1,2,{"a":1},{"a":2}]""", """[{"a":1,"b":2},{"b":2.0,"a":1}]""")]
    [InlineData("""{"properties":{"a":{"type":"string"}}}""", """{"a":"x","b":1}""", """{"a":1}""")]
    [InlineData("""{"required":["a"]}""", """{"a":null}""", "{}")]
    [InlineData("""{"properties":{"a":{}},"additionalProperties":false}""", """{"a":1}""", """{"b":1}""")]
    [InlineData("""{"additionalProperties":{"type":"integer"}}""", """{"b":1}""", """{"b":"x"}""")]
    [InlineData("""{"allOf":[{"minimum":1},{"maximum":2}]}""", "2", "3")]
    [InlineData("""{"anyOf":[{"type":"string"},{"minimum":5}]}""", "5", "4")]
    [InlineData("""{"oneOf":[{"type":"integer"},{"minimum":5}]}""", "4", "6")]
    [InlineData("""{"oneOf":[{"type":"string"},{"type":"number","minimum":5}]}""", "\"a\"", "4")]
    [InlineData("""{"$ref":"#/components/schemas/a~1b"}""", "1", "\"1\"")]
    [InlineData("""{"$ref":"#/components/schemas/a~1b","maximum":3}""", "3", "4")]
    [InlineData("""{"$ref":"#/components/schemas/Order"}""", """{"sku":"a","parts":[{"sku":"b","parts":[]}]}""", """{"sku":"a","parts":[{"sku":"b","parts":[{}]}]}""")]
    [InlineData("""{"type":"string","format":"date","title":"t","x-own":{"any":1}}""", "\"not a date\"", "1")]
    [InlineData("true", "1", null)]
    [InlineData("false", null, "1")]
    public void Values_are_told_apart(string schema, string? right, string? wrong)
    {
        var read = Read(schema);
        if (right is not null)
        {
            Assert.Empty(read.Validate(Json(right)));
        }

        if (wrong is not null)
        {
            Assert.NotEmpty(read.Validate(Json(wrong)));
        }
    }

    [Fact]
    public void Errors_say_where()
    {
        var errors = Read("""{"$ref":"#/components/schemas/Order"}""").Validate(Json("""{"sku":1,"parts":[{"sku":"a"},{"x/y~":1}]}"""));
        Assert.Equal(["/sku", "/parts/1", "/parts/1/x~1y~0"], errors.Select(static e => e.Pointer));
        Assert.Equal("must be string", errors[0].Detail);
        Assert.Equal("must have the property sku", errors[1].Detail);
        Assert.Equal("is not allowed", errors[2].Detail);
        Assert.Equal(20, Read("""{"items":{"type":"string"}}""").Validate(Json("[" + string.Join(',', Enumerable.Repeat("1", 1000)) + "]")).Count);
    }

    [Theory]
    [InlineData("""{"multipleOf":2}""", "/multipleOf")]
    [InlineData("""{"properties":{"a/b":{"not":{}}}}""", "/properties/a~1b/not")]
    [InlineData("""{"type":"text"}""", "/type")]
    [InlineData("""{"type":[]}""", "/type")]
    [InlineData("""{"minLength":-1}""", "/minLength")]
    [InlineData("""{"minLength":1.5}""", "/minLength")]
    [InlineData("""{"pattern":"(?=a)"}""", "/pattern")]
    [InlineData("""{"pattern":"(a)\\1"}""", "/pattern")]
    [InlineData("""{"pattern":"["}""", "/pattern")]
    [InlineData("""{"enum":[]}""", "/enum")]
    [InlineData("""{"required":[1]}""", "/required")]
    [InlineData("""{"items":[{}]}""", "/items")]
    [InlineData("""{"oneOf":[]}""", "/oneOf")]
    [InlineData("""{"exclusiveMinimum":true}""", "/exclusiveMinimum")]
    [InlineData("""{"$ref":"#/components/schemas/None"}""", "/$ref")]
    [InlineData("""{"$ref":"https://elsewhere.example/"}""", "/$ref")]
    [InlineData("3", "")]
    public void A_schema_that_cannot_be_checked_is_a_problem_with_its_place(string schema, string pointer)
    {
        var problems = new List<(string, string)>();
        new JsonSchemaReader(Definitions, "/schemas", (at, message) => problems.Add((at, message))).Read(Json(schema), "/here");
        Assert.Equal("/here" + pointer, Assert.Single(problems).Item1);
    }

    [Theory]
    [InlineData("""{"A":{"$ref":"#/components/schemas/A"}}""")]
    [InlineData("""{"A":{"anyOf":[{"type":"string"},{"allOf":[{"$ref":"#/components/schemas/B"}]}]},"B":{"$ref":"#/components/schemas/A"}}""")]
    public void Schemas_that_never_get_to_a_value_are_a_problem(string definitions)
    {
        var problems = new List<string>();
        new JsonSchemaReader(JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(definitions)!, "", (at, message) => problems.Add($"{at} {message}")).ReadAll();
        Assert.Contains(problems, static p => p.Contains("refers to itself", StringComparison.Ordinal));
    }

    /// <summary>Two references a level, fifty levels: 2^50 ways through a body of a hundred bytes.</summary>
    [Fact]
    public void Work_is_bounded_whatever_schema_and_body_are()
    {
        var problems = new List<(string, string)>();
        var definitions = new Dictionary<string, JsonElement>(StringComparer.Ordinal)
        {
            ["T"] = Json("""{"allOf":[{"properties":{"t":{"$ref":"#/components/schemas/T"}}},{"properties":{"t":{"$ref":"#/components/schemas/T"}}}]}"""),
        };
        var schema = new JsonSchemaReader(definitions, "", (at, message) => problems.Add((at, message))).Read(Json("""{"$ref":"#/components/schemas/T"}"""), "");
        Assert.Empty(problems);
        var body = string.Concat(Enumerable.Repeat("""{"t":""", 50)) + "1" + new string('}', 50);
        Assert.Equal("is too large or too deep to be checked", Assert.Single(schema.Validate(Json(body))).Detail);
    }

    /// <summary>A value made to fit a random schema passes; a schema and its opposite never agree; nothing throws on any value.</summary>
    [Fact]
    public void Random_schemas_accept_what_was_made_for_them_and_never_throw()
    {
        var random = new Random(20261121);
        var refused = 0;
        for (var round = 0; round < 3_000; round++)
        {
            var (schema, right) = Make(random, 3);
            var read = Read(schema.ToJsonString());
            var errors = read.Validate(Json(right?.ToJsonString() ?? "null"));
            Assert.True(errors.Count == 0, $"{schema.ToJsonString()}\n{right?.ToJsonString()}\n{string.Join('\n', errors)}");

            // The same value against the schema twice of exactly one: never, because both match.
            var both = new JsonObject { ["oneOf"] = new JsonArray(schema.DeepClone(), schema.DeepClone()) };
            Assert.NotEmpty(Read(both.ToJsonString()).Validate(Json(right?.ToJsonString() ?? "null")));

            var (_, other) = Make(random, 3);
            refused += read.Validate(Json(other?.ToJsonString() ?? "null")).Count > 0 ? 1 : 0;
        }

        Assert.InRange(refused, 500, 3_000);
    }

    private static (JsonObject Schema, JsonNode? Value) Make(Random random, int depth)
    {
        switch (random.Next(depth == 0 ? 5 : 8))
        {
            case 0:
                return (new() { ["type"] = "null" }, null);
            case 1:
                return (new() { ["type"] = "boolean" }, JsonValue.Create(random.Next(2) == 0));
            case 2:
                var number = random.Next(-1000, 1000);
                return (new() { ["type"] = "integer", ["minimum"] = number - random.Next(3), ["maximum"] = number + random.Next(3) }, JsonValue.Create(number));
            case 3:
                var text = string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => (char)('a' + random.Next(26))));
                return (new() { ["type"] = "string", ["minLength"] = text.Length, ["maxLength"] = text.Length + 1, ["pattern"] = "^[a-z]*$" }, JsonValue.Create(text));
            case 4:
                var chosen = JsonValue.Create(random.Next(100));
                return (new() { ["enum"] = new JsonArray(JsonValue.Create("other"), chosen.DeepClone()) }, chosen);
            case 5:
                var (item, value) = Make(random, depth - 1);
                var count = random.Next(3);
                return (new() { ["type"] = "array", ["items"] = item, ["minItems"] = count }, new JsonArray([.. Enumerable.Range(0, count).Select(_ => value?.DeepClone())]));
            case 6:
                var (properties, result, required) = (new JsonObject(), new JsonObject(), new JsonArray());
                for (var i = random.Next(4); i > 0; i--)
                {
                    var (part, inner) = Make(random, depth - 1);
                    properties[$"p{i}"] = part;
                    result[$"p{i}"] = inner;
                    required.Add($"p{i}");
                }

                return (new() { ["type"] = "object", ["properties"] = properties, ["required"] = required, ["additionalProperties"] = false }, result);
            default:
                var (one, fits) = Make(random, depth - 1);
                return (new() { ["anyOf"] = new JsonArray(new JsonObject { ["const"] = "never" }, one), ["allOf"] = new JsonArray(one.DeepClone()) }, fits);
        }
    }

    private static JsonSchema Read(string schema) =>
        new JsonSchemaReader(Definitions, "/schemas", static (at, message) => Assert.Fail($"{at}: {message}")).Read(Json(schema), "");

    private static JsonElement Json(string text) => JsonElement.Parse(text);
}
