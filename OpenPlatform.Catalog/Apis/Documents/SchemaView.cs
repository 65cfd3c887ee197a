using System.Text.Json;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>A schema with its references followed and its <c>allOf</c> laid together.</summary>
internal sealed class SchemaView
{
    /// <summary>Every type there is; <c>integer</c> is part of <c>number</c> and named beside it.</summary>
    private static readonly string[] AllTypes = ["null", "boolean", "integer", "number", "string", "array", "object"];

    private SchemaView(DocumentNode node) => Node = node;

    public DocumentNode Node { get; }

    /// <summary>Null: any.</summary>
    public HashSet<string>? Types { get; private set; }

    public Dictionary<string, DocumentNode> Properties { get; } = new(StringComparer.Ordinal);

    public HashSet<string> Required { get; } = new(StringComparer.Ordinal);

    /// <summary>Null: any value. Values by their JSON text.</summary>
    public HashSet<string>? Enum { get; private set; }

    /// <summary>For lower bounds the highest, for upper ones the lowest that is said.</summary>
    public Dictionary<string, decimal> Bounds { get; } = new(StringComparer.Ordinal);

    public string? Pattern { get; private set; }

    public string? Format { get; private set; }

    public DocumentNode? Items { get; private set; }

    /// <summary>Null: what is in a list can be anything; false too when its schema says nothing.</summary>
    public bool SaysItems => Items is { } items && Says(items);

    /// <summary>What properties are that are not described; null: anything, or not allowed (<see cref="IsOpen"/>).</summary>
    public DocumentNode? Additional { get; private set; }

    /// <summary>Numbers must be multiples of it; null: any.</summary>
    public decimal? MultipleOf { get; private set; }

    /// <summary>True: a list holds nothing twice.</summary>
    public bool IsUnique { get; private set; }

    /// <summary>False: no property but the described ones.</summary>
    public bool IsOpen { get; private set; } = true;

    /// <summary>The alternatives of <c>oneOf</c> and <c>anyOf</c>.</summary>
    public List<DocumentNode> Alternatives { get; } = [];

    /// <summary>What the types are, in words of the whole set.</summary>
    public IEnumerable<string> TypesOrAll => Types ?? (IEnumerable<string>)AllTypes;

    private static bool Says(DocumentNode schema) => schema.Resolved() is { IsObject: true } resolved && resolved.Members().Any();

    public static SchemaView Of(DocumentNode node)
    {
        var view = new SchemaView(node);
        view.Add(node, [], 0);
        return view;
    }

    private void Add(DocumentNode node, HashSet<string> seen, int depth)
    {
        // A schema that is part of itself, or parts within parts within parts: what was read so far counts.
        if (!node.IsObject || depth > 32 || !seen.Add(node.Pointer))
        {
            return;
        }

        if (node.Text("$ref") is not null)
        {
            Add(node.Resolved(), seen, depth + 1); // 3.1 allows members beside it, which follow
        }

        Values(node);
        if (node.Raw("items") is { } items)
        {
            Items ??= items;
        }

        foreach (var property in node.Raw("properties")?.Value is { ValueKind: JsonValueKind.Object } properties ? properties.EnumerateObject().Select(static p => p.Name) : [])
        {
            Properties.TryAdd(property, node.Raw("properties")!.Value.Raw(property)!.Value);
        }

        Required.UnionWith(node.Texts("required"));
        IsOpen &= node.Raw("additionalProperties") is not { Value.ValueKind: JsonValueKind.False };
        Additional ??= node.Raw("additionalProperties") is { } additional && Says(additional) ? additional : null;
        IsUnique |= node.Flag("uniqueItems");
        if (node.Raw("multipleOf") is { Value.ValueKind: JsonValueKind.Number } multiple && multiple.Value.TryGetDecimal(out var step) && step > 0)
        {
            MultipleOf ??= step;
        }

        foreach (var list in (string[])["oneOf", "anyOf"])
        {
            Alternatives.AddRange(node[list]?.Items() ?? []);
        }

        foreach (var part in node["allOf"]?.Items() ?? [])
        {
            Add(part, seen, depth + 1);
        }
    }

    private void Values(DocumentNode node)
    {
        if (TypesOf(node) is { } types)
        {
            Types = Types is null ? types : [.. Types.Intersect(types)];
        }

        var values = node.Raw("const") is { } only ? [only.Value.GetRawText()]
            : node.Raw("enum") is { IsArray: true } list ? list.Value.EnumerateArray().Select(static value => value.GetRawText()).ToHashSet(StringComparer.Ordinal)
            : (HashSet<string>?)null;
        Enum = values is null ? Enum : Enum is null ? values : [.. Enum.Intersect(values)];
        Pattern = node.Text("pattern") ?? Pattern;
        Format = node.Text("format") ?? Format;
        foreach (var bound in (string[])["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"])
        {
            if (node.Raw(bound) is { Value.ValueKind: JsonValueKind.Number } said && said.Value.TryGetDecimal(out var value))
            {
                Bounds[bound] = !Bounds.TryGetValue(bound, out var other) ? value : IsLower(bound) ? Math.Max(other, value) : Math.Min(other, value);
            }
            else if (node.Flag(bound) && node.Raw(IsLower(bound) ? "minimum" : "maximum") is { Value.ValueKind: JsonValueKind.Number } edge && edge.Value.TryGetDecimal(out value))
            {
                Bounds[bound] = value; // 3.0 says with a flag that the bound itself is out
            }
        }
    }

    public static bool IsLower(string bound) => bound.StartsWith("min", StringComparison.Ordinal) || bound == "exclusiveMinimum";

    private static HashSet<string>? TypesOf(DocumentNode node)
    {
        HashSet<string> types = node.Text("type") is { } one ? [one] : [.. node.Texts("type")];
        if (types.Count == 0)
        {
            return null;
        }

        if (types.Contains("number"))
        {
            types.Add("integer");
        }

        if (node.Flag("nullable"))
        {
            types.Add("null");
        }

        return types;
    }
}
