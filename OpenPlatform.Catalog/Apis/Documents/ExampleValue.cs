using System.Text.Json;
using System.Text.Json.Nodes;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>A value that a schema describes: its example if it has one, otherwise one made of what it says. The same in every run.</summary>
internal sealed class ExampleValue
{
    /// <summary>Objects within objects; deeper ones are left out, which ends schemas that hold themselves.</summary>
    private const int MaxDepth = 12;

    /// <summary>Values in an example; wide schemas that hold each other would have no end.</summary>
    private const int MaxValues = 2_000;

    private int _values;

    public static JsonNode? Of(DocumentNode schema) => new ExampleValue().Make(schema, [], 0);

    private JsonNode? Make(DocumentNode schema, HashSet<string> above, int depth)
    {
        schema = schema.Resolved();
        if (!schema.IsObject || ++_values > MaxValues)
        {
            return null;
        }

        if (Said(schema) is { } said)
        {
            return JsonNode.Parse(said.GetRawText());
        }

        if (depth > MaxDepth || !above.Add(schema.Pointer))
        {
            return null;
        }

        var view = SchemaView.Of(schema);
        JsonNode? value;
        if (view.Enum is { Count: > 0 } values)
        {
            value = JsonNode.Parse(values.Order(StringComparer.Ordinal).First());
        }
        else if (view.Alternatives.Count > 0 && view.Properties.Count == 0)
        {
            value = Make(view.Alternatives[0], above, depth + 1);
        }
        else
        {
            value = ByType(view, above, depth);
        }

        above.Remove(schema.Pointer);
        return value;
    }

    private static JsonElement? Said(DocumentNode schema)
    {
        if ((schema.Raw("example") ?? schema.Raw("default") ?? schema.Raw("const")) is { } said)
        {
            return said.Value;
        }

        return schema.Raw("examples") is { IsArray: true } examples && examples.Value.GetArrayLength() > 0 ? examples.Value[0] : null;
    }

    private JsonNode? ByType(SchemaView view, HashSet<string> above, int depth)
    {
        var types = view.Types ?? (view.Properties.Count > 0 ? ["object"] : view.Items is not null ? ["array"] : ["null"]);
        if (types.Contains("object"))
        {
            var members = new JsonObject();
            foreach (var (name, property) in view.Properties.Where(static property => !property.Value.Resolved().Flag("writeOnly")))
            {
                // What holds itself ends here; what only may be there is left out.
                if (Make(property, above, depth + 1) is { } member)
                {
                    members[name] = member;
                }
                else if (view.Required.Contains(name))
                {
                    members[name] = null;
                }
            }

            return members;
        }

        if (types.Contains("array"))
        {
            var count = (int)Math.Clamp(view.Bounds.GetValueOrDefault("minItems", 1), 0, 5);
            var items = new JsonArray();
            for (var i = 0; i < count; i++)
            {
                if (view.Items is { } item && Make(item, above, depth + 1) is { } value)
                {
                    items.Add(value);
                }
            }

            return items;
        }

        return types.Contains("string") ? Text(view)
            : types.Contains("number") || types.Contains("integer") ? Number(view)
            : types.Contains("boolean") ? true : null;
    }

    private static JsonNode Number(SchemaView view)
    {
        var value = view.Bounds.TryGetValue("minimum", out var least) ? least : view.Bounds.TryGetValue("exclusiveMinimum", out var edge) ? edge + 1 : 0m;
        if (value == 0 && view.Bounds.TryGetValue("maximum", out var most) && most < 0)
        {
            value = most;
        }

        return decimal.Truncate(value) == value && value is >= long.MinValue and <= long.MaxValue ? JsonValue.Create((long)value) : JsonValue.Create(value);
    }

    private static JsonNode Text(SchemaView view)
    {
        var text = view.Format switch
        {
            "date-time" => "2026-01-31T12:00:00Z",
            "date" => "2026-01-31",
            "time" => "12:00:00Z",
            "duration" => "PT1H",
            "uuid" => "0b7a2f4e-5c1d-4e8a-9b3f-6d2c1a0e9f87",
            "email" => "someone@example.com",
            "uri" or "url" => "https://example.com/",
            "hostname" => "example.com",
            "ipv4" => "192.0.2.1",
            "ipv6" => "2001:db8::1",
            "byte" => "dGV4dA==",
            _ => "text",
        };
        if (view.Bounds.TryGetValue("minLength", out var least) && text.Length < least)
        {
            text = text.PadRight((int)Math.Min(least, 1_000), 'x');
        }

        return JsonValue.Create(view.Bounds.TryGetValue("maxLength", out var most) && text.Length > most ? text[..(int)Math.Max(0, most)] : text);
    }
}
