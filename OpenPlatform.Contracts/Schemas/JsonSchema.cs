using System.Text.Json;
using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Schemas;

/// <summary>The kinds of value that <c>type</c> names.</summary>
[Flags]
internal enum JsonTypes
{
    None = 0,
    Null = 1,
    Boolean = 2,
    Integer = 4,
    Number = 8,
    String = 16,
    Array = 32,
    Object = 64,
}

/// <summary>
/// A schema read into a tree (a graph, where schemas refer to each other): the subset of JSON Schema as OpenAPI 3.0 and 3.1 write
/// it that <see cref="JsonSchemaReader"/> lists. Immutable once read.
/// </summary>
public sealed class JsonSchema
{
    internal JsonSchema()
    {
    }

    /// <summary>False for the schema <c>false</c>, which nothing matches.</summary>
    internal bool Possible { get; set; } = true;

    internal JsonSchema? Reference { get; set; }

    /// <summary><see cref="JsonTypes.None"/>: any.</summary>
    internal JsonTypes Types { get; set; }

    internal JsonElement[]? Enum { get; set; }

    internal JsonElement? Const { get; set; }

    internal JsonElement? Minimum { get; set; }

    internal JsonElement? Maximum { get; set; }

    internal bool MinimumExcluded { get; set; }

    internal bool MaximumExcluded { get; set; }

    internal int? MinLength { get; set; }

    internal int? MaxLength { get; set; }

    internal Regex? Pattern { get; set; }

    internal JsonSchema? Items { get; set; }

    internal int? MinItems { get; set; }

    internal int? MaxItems { get; set; }

    internal bool UniqueItems { get; set; }

    internal Dictionary<string, JsonSchema>? Properties { get; set; }

    internal string[]? Required { get; set; }

    /// <summary>For properties that <see cref="Properties"/> does not name; null: anything.</summary>
    internal JsonSchema? AdditionalProperties { get; set; }

    internal JsonSchema[]? AllOf { get; set; }

    internal JsonSchema[]? AnyOf { get; set; }

    internal JsonSchema[]? OneOf { get; set; }

    /// <summary>Those that look at the same value as this one.</summary>
    internal IEnumerable<JsonSchema> InPlace => [.. Reference is null ? [] : new[] { Reference }, .. AllOf ?? [], .. AnyOf ?? [], .. OneOf ?? []];

    /// <summary>Everything wrong with <paramref name="value"/>, at most <see cref="JsonSchemaCheck.MaxErrors"/>; empty when it matches.</summary>
    public IReadOnlyList<JsonSchemaError> Validate(JsonElement value) => new JsonSchemaCheck().Run(this, value);
}

/// <summary>One thing wrong with a value.</summary>
/// <param name="Pointer">JSON pointer (RFC 6901) to the offending part; empty: the whole.</param>
public readonly record struct JsonSchemaError(string Pointer, string Detail);
