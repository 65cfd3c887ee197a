using System.Text.Json;

namespace OpenPlatform.Contracts.Schemas;

/// <summary>
/// One check of one value. Bounded in depth and in work: a small body against schemas that refer to each other could otherwise be
/// looked at a million times. What cannot be decided within the bounds does not match.
/// </summary>
internal sealed class JsonSchemaCheck
{
    /// <summary>More are not told: the first ones help, a thousand do not.</summary>
    public const int MaxErrors = 20;

    private const int MaxDepth = 256;
    private const int MaxSteps = 1_000_000;

    private readonly List<JsonSchemaError> _errors = [];
    private readonly List<string> _path = [];
    private int _steps;
    private int _depth;
    private bool _undecided;

    /// <summary>Above 0: inside an alternative, of which only the outcome counts.</summary>
    private int _silent;

    public IReadOnlyList<JsonSchemaError> Run(JsonSchema schema, JsonElement value)
    {
        Check(schema, value);

        // Beyond the bounds also "exactly one" can seem true: nothing counts then.
        return _undecided ? [new(string.Empty, "is too large or too deep to be checked")] : _errors;
    }

    private bool Check(JsonSchema schema, JsonElement value)
    {
        if (++_steps > MaxSteps || _depth == MaxDepth)
        {
            _undecided = true;
        }

        if (_undecided)
        {
            return false;
        }

        _depth++;
        var right = CheckValue(schema, value) & CheckAlternatives(schema, value);
        _depth--;
        return right;
    }

    private bool CheckValue(JsonSchema schema, JsonElement value)
    {
        if (!schema.Possible)
        {
            return Wrong("is not allowed");
        }

        var right = schema.Reference is null || Check(schema.Reference, value);
        if (schema.Types != JsonTypes.None && (schema.Types & TypesOf(value)) == JsonTypes.None)
        {
            return Wrong($"must be {Names(schema.Types)}");
        }

        if (schema.Enum is { } options && !options.Any(option => JsonElement.DeepEquals(option, value)))
        {
            right = Wrong("must be one of the values that are listed");
        }

        if (schema.Const is { } only && !JsonElement.DeepEquals(only, value))
        {
            right = Wrong("must be the one value that is given");
        }

        return right & value.ValueKind switch
        {
            JsonValueKind.Number => CheckNumber(schema, value),
            JsonValueKind.String => CheckText(schema, value),
            JsonValueKind.Array => CheckArray(schema, value),
            JsonValueKind.Object => CheckObject(schema, value),
            _ => true,
        };
    }

    private bool CheckNumber(JsonSchema schema, JsonElement value)
    {
        var right = true;
        if (schema.Minimum is { } minimum && JsonNumber.Compare(value, minimum) is var above && (above < 0 || (above == 0 && schema.MinimumExcluded)))
        {
            right = Wrong($"must be {(schema.MinimumExcluded ? "more than" : "at least")} {minimum.GetRawText()}");
        }

        if (schema.Maximum is { } maximum && JsonNumber.Compare(value, maximum) is var below && (below > 0 || (below == 0 && schema.MaximumExcluded)))
        {
            right = Wrong($"must be {(schema.MaximumExcluded ? "less than" : "at most")} {maximum.GetRawText()}");
        }

        return right;
    }

    private bool CheckText(JsonSchema schema, JsonElement value)
    {
        if (schema.MinLength is null && schema.MaxLength is null && schema.Pattern is null)
        {
            return true;
        }

        string text;
        try
        {
            text = value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return Wrong("is not Unicode text");
        }

        var right = true;

        // Characters, not UTF-16 units (JSON Schema, 6.3.1).
        var length = schema.MinLength is null && schema.MaxLength is null ? 0 : text.EnumerateRunes().Count();
        if (length < schema.MinLength)
        {
            right = Wrong($"must have at least {schema.MinLength} characters");
        }

        if (length > schema.MaxLength)
        {
            right = Wrong($"must have at most {schema.MaxLength} characters");
        }

        return schema.Pattern is null || schema.Pattern.IsMatch(text) ? right : Wrong("must match the pattern");
    }

    private bool CheckArray(JsonSchema schema, JsonElement value)
    {
        var right = true;
        var length = value.GetArrayLength();
        if (length < schema.MinItems)
        {
            right = Wrong($"must have at least {schema.MinItems} items");
        }

        if (length > schema.MaxItems)
        {
            return Wrong($"must have at most {schema.MaxItems} items");
        }

        if (schema.UniqueItems && value.EnumerateArray().ToHashSet(JsonValueComparer.Instance).Count != length)
        {
            right = Wrong("must have no item twice");
        }

        if (schema.Items is { } items)
        {
            var index = 0;
            foreach (var item in value.EnumerateArray())
            {
                right &= CheckPart(items, item, index.ToString());
                index++;
                if (_errors.Count >= MaxErrors || _undecided)
                {
                    return false;
                }
            }
        }

        return right;
    }

    private bool CheckObject(JsonSchema schema, JsonElement value)
    {
        var right = true;
        foreach (var name in schema.Required ?? [])
        {
            if (!value.TryGetProperty(name, out _))
            {
                right = Wrong($"must have the property {name}");
            }
        }

        if (schema.Properties is null && schema.AdditionalProperties is null)
        {
            return right;
        }

        foreach (var property in value.EnumerateObject())
        {
            if ((schema.Properties?.GetValueOrDefault(property.Name) ?? schema.AdditionalProperties) is { } part)
            {
                right &= CheckPart(part, property.Value, JsonSchemaReader.Escape(property.Name));
                if (_errors.Count >= MaxErrors || _undecided)
                {
                    return false;
                }
            }
        }

        return right;
    }

    private bool CheckAlternatives(JsonSchema schema, JsonElement value)
    {
        var right = true;
        foreach (var all in schema.AllOf ?? [])
        {
            right &= Check(all, value);
        }

        if (schema.AnyOf is { } any && Matches(any, value, enough: 1) == 0)
        {
            right = Wrong("must match at least one of the alternatives");
        }

        if (schema.OneOf is { } one && Matches(one, value, enough: 2) is var matches && matches != 1)
        {
            right = Wrong(matches == 0 ? "must match one of the alternatives" : "must match only one of the alternatives");
        }

        return right;
    }

    private int Matches(JsonSchema[] alternatives, JsonElement value, int enough)
    {
        var matches = 0;
        _silent++;
        foreach (var alternative in alternatives)
        {
            if (Check(alternative, value) && ++matches == enough)
            {
                break;
            }
        }

        _silent--;
        return matches;
    }

    private bool CheckPart(JsonSchema schema, JsonElement value, string name)
    {
        _path.Add(name);
        var right = Check(schema, value);
        _path.RemoveAt(_path.Count - 1);
        return right;
    }

    private bool Wrong(string detail)
    {
        if (_silent == 0 && _errors.Count < MaxErrors)
        {
            _errors.Add(new(string.Concat(_path.Select(static part => "/" + part)), detail));
        }

        return false;
    }

    private static JsonTypes TypesOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => JsonTypes.Null,
        JsonValueKind.True or JsonValueKind.False => JsonTypes.Boolean,
        JsonValueKind.String => JsonTypes.String,
        JsonValueKind.Array => JsonTypes.Array,
        JsonValueKind.Object => JsonTypes.Object,
        _ => JsonNumber.IsWhole(value) ? JsonTypes.Number | JsonTypes.Integer : JsonTypes.Number,
    };

    private static string Names(JsonTypes types) =>
        string.Join(" or ", Enum.GetValues<JsonTypes>().Where(type => type != JsonTypes.None && types.HasFlag(type)).Select(static type => type.ToString().ToLowerInvariant()));
}
