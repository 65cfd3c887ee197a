using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Declarative;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>
/// Policies between a request, the database and the snapshot. They have one JSON form everywhere, that of the records in Contracts, and are
/// read as strictly as a gateway reads them: a misspelt member is named, not passed over.
/// </summary>
internal static class PolicyJson
{
    /// <summary>What a request says, or null when it says nothing or is wrong, with the reasons in <paramref name="check"/>.</summary>
    /// <param name="at">Where it stands in the request, a JSON pointer.</param>
    public static T? Read<T>(JsonElement? json, JsonTypeInfo<T> type, string at, RequestCheck check)
        where T : class
    {
        if (json is not { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } given)
        {
            return null;
        }

        try
        {
            return given.Deserialize(type);
        }
        catch (JsonException exception)
        {
            var problem = JsonProblem.Of(exception);
            check.Add(at + problem.Pointer, problem.Message);
            return null;
        }
    }

    /// <summary>For a column of type <c>jsonb</c>.</summary>
    public static string? Text<T>(T? policies, JsonTypeInfo<T> type)
        where T : class => policies is null ? null : JsonSerializer.Serialize(policies, type);

    /// <summary>From a column of type <c>jsonb</c>.</summary>
    public static T? Model<T>(string? text, JsonTypeInfo<T> type)
        where T : class => text is null ? null : JsonSerializer.Deserialize(text, type);

    /// <summary>From a column of type <c>jsonb</c> into an answer, as it is.</summary>
    public static JsonElement? Element(string? text)
    {
        if (text is null)
        {
            return null;
        }

        using var document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }
}
