using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Contracts.Declarative;

namespace OpenPlatform.Catalog.Changes;

/// <summary>Declared items as requests of their kind, read as strictly as the bodies of requests are.</summary>
internal static class DeclaredJson
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        NumberHandling = JsonNumberHandling.Strict,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase, allowIntegerValues: false) },
    };

    /// <summary>Null when the item is none, with the reason in <paramref name="report"/>.</summary>
    public static T? Read<T>(DeclaredItem item, DeclaredReport report)
        where T : class
    {
        try
        {
            return item.Body.Deserialize<T>(Options);
        }
        catch (JsonException exception)
        {
            var problem = JsonProblem.Of(exception);
            report.Problem(item.Pointer + problem.Pointer, problem.Message);
            return null;
        }
    }

    /// <summary>The text of a member, or null.</summary>
    public static string? Text(JsonObject item, string member) =>
        item[member] is JsonValue value && value.TryGetValue(out string? text) && text.Length > 0 ? text : null;

    /// <summary>Adds what is wrong with an item as problems of the changeset.</summary>
    public static void Report(DeclaredItem item, CatalogProblem problem, DeclaredReport report)
    {
        foreach (var error in problem.Errors)
        {
            report.Problem(item.Pointer + error.Pointer, error.Detail);
        }

        if (problem.Errors.Count == 0)
        {
            report.Problem(item.Pointer, problem.Detail ?? problem.Title);
        }
    }
}
