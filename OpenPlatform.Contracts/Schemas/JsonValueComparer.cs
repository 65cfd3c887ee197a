using System.Text.Json;

namespace OpenPlatform.Contracts.Schemas;

/// <summary>JSON values by value: 1 is 1.0, the order of properties does not matter.</summary>
internal sealed class JsonValueComparer : IEqualityComparer<JsonElement>
{
    public static JsonValueComparer Instance { get; } = new();

    public bool Equals(JsonElement x, JsonElement y) => JsonElement.DeepEquals(x, y);

    public int GetHashCode(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Number:
                return value.GetDouble().GetHashCode();
            case JsonValueKind.String:
                return TextHash(value);
            case JsonValueKind.Array:
                var ordered = new HashCode();
                foreach (var item in value.EnumerateArray())
                {
                    ordered.Add(GetHashCode(item));
                }

                return ordered.ToHashCode();
            case JsonValueKind.Object:
                return value.EnumerateObject().Aggregate(value.GetPropertyCount(), (sum, property) =>
                    unchecked(sum + HashCode.Combine(property.Name.GetHashCode(StringComparison.Ordinal), GetHashCode(property.Value))));
            default:
                return (int)value.ValueKind;
        }
    }

    private static int TextHash(JsonElement value)
    {
        try
        {
            return value.GetString()!.GetHashCode(StringComparison.Ordinal);
        }
        catch (InvalidOperationException)
        {
            return 0; // half of a surrogate pair
        }
    }
}
