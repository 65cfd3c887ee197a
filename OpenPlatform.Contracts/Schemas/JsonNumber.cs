using System.Text.Json;

namespace OpenPlatform.Contracts.Schemas;

/// <summary>Numbers of JSON compared by value: exactly where both fit a <see cref="decimal"/>, otherwise as doubles.</summary>
internal static class JsonNumber
{
    public static int Compare(JsonElement a, JsonElement b) =>
        a.TryGetDecimal(out var x) && b.TryGetDecimal(out var y) ? x.CompareTo(y) : a.GetDouble().CompareTo(b.GetDouble());

    /// <summary>1, 1.0 and 1e3 are whole numbers (JSON Schema, 6.1.1).</summary>
    public static bool IsWhole(JsonElement value) =>
        value.TryGetDecimal(out var exact) ? exact == decimal.Truncate(exact) : value.GetDouble() is var rounded && double.IsFinite(rounded) && rounded == Math.Floor(rounded);
}
