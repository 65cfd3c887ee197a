using System.Text.Json;
using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Schemas;

/// <summary>
/// Reads schemas of one OpenAPI document. Known: <c>type</c> (one or several), <c>nullable</c>, <c>enum</c>, <c>const</c>,
/// <c>minimum</c>, <c>maximum</c>, <c>exclusiveMinimum</c>, <c>exclusiveMaximum</c> (both forms), <c>minLength</c>, <c>maxLength</c>,
/// <c>pattern</c>, <c>items</c>, <c>minItems</c>, <c>maxItems</c>, <c>uniqueItems</c>, <c>properties</c>, <c>required</c>,
/// <c>additionalProperties</c>, <c>allOf</c>, <c>anyOf</c>, <c>oneOf</c>, <c>$ref</c> to <c>#/components/schemas/…</c>. Passed over,
/// because they check nothing: <c>title</c>, <c>description</c>, <c>format</c> and their like. Any other keyword is a problem: a check that
/// is not made must not look as if it were.
/// </summary>
/// <param name="definitions">The document's <c>components/schemas</c>.</param>
/// <param name="at">Where they stand, for problems.</param>
/// <param name="problem">Takes pointer and message.</param>
public sealed class JsonSchemaReader(IReadOnlyDictionary<string, JsonElement> definitions, string at, Action<string, string> problem)
{
    private const string ReferencePrefix = "#/components/schemas/";

    /// <summary>Schemas inside schemas; deeper ones are a mistake or an attack.</summary>
    private const int MaxDepth = 64;

    private readonly Dictionary<string, JsonSchema> _read = new(StringComparer.Ordinal);

    /// <summary>Reads every definition, also those that nothing refers to.</summary>
    public void ReadAll()
    {
        foreach (var name in definitions.Keys)
        {
            Definition(name);
        }
    }

    /// <summary>Reads one schema; complete only when no problem was reported.</summary>
    public JsonSchema Read(JsonElement schema, string pointer)
    {
        var read = new JsonSchema();
        Read(read, schema, pointer, 0);
        RefuseEndless(read, pointer);
        return read;
    }

    private JsonSchema Definition(string name)
    {
        if (!_read.TryGetValue(name, out var schema))
        {
            // In the table before it is read: it may refer to itself.
            _read.Add(name, schema = new());
            var pointer = $"{at}/{Escape(name)}";
            Read(schema, definitions[name], pointer, 0);
            RefuseEndless(schema, pointer);
        }

        return schema;
    }

    private void Read(JsonSchema to, JsonElement schema, string pointer, int depth)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            to.Possible = schema.ValueKind == JsonValueKind.True;
            return;
        }

        if (schema.ValueKind != JsonValueKind.Object || depth > MaxDepth)
        {
            problem(pointer, depth > MaxDepth ? $"is more than {MaxDepth} schemas deep" : "must be a schema: an object, true or false");
            return;
        }

        foreach (var keyword in schema.EnumerateObject())
        {
            Read(to, schema, keyword.Name, keyword.Value, $"{pointer}/{Escape(keyword.Name)}", depth + 1);
        }

        // OpenAPI 3.0: null is another type, and it is in an enumeration only when that says so.
        if (to.Types != JsonTypes.None && schema.TryGetProperty("nullable", out var nullable) && nullable.ValueKind == JsonValueKind.True)
        {
            to.Types |= JsonTypes.Null;
        }
    }

    private void Read(JsonSchema to, JsonElement schema, string keyword, JsonElement value, string pointer, int depth)
    {
        switch (keyword)
        {
            case "$ref":
                to.Reference = Reference(value, pointer);
                break;
            case "type":
                to.Types = Types(value, pointer);
                break;
            case "nullable" or "uniqueItems" when value.ValueKind is not (JsonValueKind.True or JsonValueKind.False):
                problem(pointer, "must be true or false");
                break;
            case "nullable":
                break;
            case "enum" when value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0:
                to.Enum = [.. value.EnumerateArray()];
                break;
            case "const":
                to.Const = value;
                break;
            case "minimum" or "maximum" when value.ValueKind == JsonValueKind.Number:
                Bound(to, keyword == "minimum", value, excluded: false);
                break;
            case "exclusiveMinimum" or "exclusiveMaximum" when value.ValueKind == JsonValueKind.Number:
                Bound(to, keyword == "exclusiveMinimum", value, excluded: true);
                break;
            case "exclusiveMinimum" or "exclusiveMaximum" when value.ValueKind is JsonValueKind.True or JsonValueKind.False:
                var lower = keyword == "exclusiveMinimum";
                if (!schema.TryGetProperty(lower ? "minimum" : "maximum", out _))
                {
                    problem(pointer, "needs the bound that it is about");
                }

                to.MinimumExcluded |= lower && value.GetBoolean();
                to.MaximumExcluded |= !lower && value.GetBoolean();
                break;
            case "minLength":
                to.MinLength = Count(value, pointer);
                break;
            case "maxLength":
                to.MaxLength = Count(value, pointer);
                break;
            case "pattern":
                to.Pattern = Pattern(value, pointer);
                break;
            case "items":
                to.Items = Child(value, pointer, depth);
                break;
            case "minItems":
                to.MinItems = Count(value, pointer);
                break;
            case "maxItems":
                to.MaxItems = Count(value, pointer);
                break;
            case "uniqueItems":
                to.UniqueItems = value.GetBoolean();
                break;
            case "properties" when value.ValueKind == JsonValueKind.Object:
                to.Properties = new(StringComparer.Ordinal);
                foreach (var property in value.EnumerateObject())
                {
                    to.Properties[property.Name] = Child(property.Value, $"{pointer}/{Escape(property.Name)}", depth);
                }

                break;
            case "required" when value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(static name => name.ValueKind == JsonValueKind.String):
                to.Required = [.. value.EnumerateArray().Select(static name => name.GetString()!)];
                break;
            case "additionalProperties":
                to.AdditionalProperties = Child(value, pointer, depth);
                break;
            case "allOf" when IsList(value):
                to.AllOf = Children(value, pointer, depth);
                break;
            case "anyOf" when IsList(value):
                to.AnyOf = Children(value, pointer, depth);
                break;
            case "oneOf" when IsList(value):
                to.OneOf = Children(value, pointer, depth);
                break;
            case "enum" or "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum" or "properties" or "required" or "allOf" or "anyOf" or "oneOf":
                problem(pointer, "has a value of the wrong kind");
                break;
            case "title" or "description" or "default" or "example" or "examples" or "deprecated" or "readOnly" or "writeOnly" or "format" or "externalDocs" or "xml"
                or "discriminator" or "$comment":
                break;
            case var other when other.StartsWith("x-", StringComparison.Ordinal):
                break;
            default:
                problem(pointer, $"is a keyword that is not checked here: {keyword}");
                break;
        }
    }

    /// <summary>The narrower of two bounds counts: 3.1 may have both <c>minimum</c> and a numeric <c>exclusiveMinimum</c>.</summary>
    private static void Bound(JsonSchema to, bool lower, JsonElement value, bool excluded)
    {
        var old = lower ? to.Minimum : to.Maximum;
        var order = old is { } other ? JsonNumber.Compare(value, other) * (lower ? 1 : -1) : 1;
        if (order < 0 || (order == 0 && !excluded))
        {
            return;
        }

        if (lower)
        {
            (to.Minimum, to.MinimumExcluded) = (value, excluded || (old is null && to.MinimumExcluded));
        }
        else
        {
            (to.Maximum, to.MaximumExcluded) = (value, excluded || (old is null && to.MaximumExcluded));
        }
    }

    private JsonSchema Child(JsonElement schema, string pointer, int depth)
    {
        var child = new JsonSchema();
        Read(child, schema, pointer, depth);
        return child;
    }

    private JsonSchema[] Children(JsonElement list, string pointer, int depth) =>
        [.. list.EnumerateArray().Select((schema, i) => Child(schema, $"{pointer}/{i}", depth))];

    private JsonSchema? Reference(JsonElement value, string pointer)
    {
        if (value.ValueKind != JsonValueKind.String || value.GetString() is not { } text || !text.StartsWith(ReferencePrefix, StringComparison.Ordinal))
        {
            problem(pointer, $"must begin with {ReferencePrefix}: references lead nowhere else");
            return null;
        }

        var name = Uri.UnescapeDataString(text[ReferencePrefix.Length..]).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
        if (!definitions.ContainsKey(name))
        {
            problem(pointer, $"refers to a schema that is not there: {name}");
            return null;
        }

        return Definition(name);
    }

    private JsonTypes Types(JsonElement value, string pointer)
    {
        var types = JsonTypes.None;
        var right = value.ValueKind is JsonValueKind.String || IsList(value);
        foreach (var name in right && value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().AsEnumerable() : [value])
        {
            var type = name.ValueKind != JsonValueKind.String ? JsonTypes.None : name.GetString() switch
            {
                "null" => JsonTypes.Null,
                "boolean" => JsonTypes.Boolean,
                "integer" => JsonTypes.Integer,
                "number" => JsonTypes.Number,
                "string" => JsonTypes.String,
                "array" => JsonTypes.Array,
                "object" => JsonTypes.Object,
                _ => JsonTypes.None,
            };
            right &= type != JsonTypes.None;
            types |= type;
        }

        if (!right)
        {
            problem(pointer, "must be one or more of null, boolean, integer, number, string, array, object");
        }

        return types;
    }

    private Regex? Pattern(JsonElement value, string pointer)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            problem(pointer, "must be text");
            return null;
        }

        try
        {
            // Linear in the length of the text whatever the pattern, so that no body can make it slow.
            return new(value.GetString()!, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, Regex.InfiniteMatchTimeout);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            problem(pointer, $"must be a regular expression without look-around and back-references: {e.Message}");
            return null;
        }
    }

    private int? Count(JsonElement value, string pointer)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count >= 0)
        {
            return count;
        }

        problem(pointer, "must be a whole number, not negative");
        return null;
    }

    /// <summary>A schema that leads back to itself without looking at a part of the value would never end.</summary>
    private void RefuseEndless(JsonSchema schema, string pointer)
    {
        if (Leads(schema, schema, []))
        {
            problem(pointer, "refers to itself for the same value");
        }

        static bool Leads(JsonSchema from, JsonSchema to, HashSet<JsonSchema> seen) =>
            from.InPlace.Any(next => ReferenceEquals(next, to) || (seen.Add(next) && Leads(next, to, seen)));
    }

    private static bool IsList(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0;

    internal static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
