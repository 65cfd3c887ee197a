using System.Text.Json.Nodes;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>What an operation would answer, after the examples of its document.</summary>
/// <param name="ContentType">Null: the answer has no content.</param>
/// <param name="Body">JSON as it is, anything else as text.</param>
/// <param name="IsExample">True: somebody wrote it; false: it was made of the schema.</param>
public sealed record MockAnswer(int Status, string? ContentType, JsonNode? Body, bool IsExample)
{
    /// <summary>The answer with <paramref name="status"/>, or the first good one; null when the document describes no answer (of that status).</summary>
    internal static MockAnswer? Of(DocumentOperation operation, int? status)
    {
        if (Choose(operation, status) is not { } chosen)
        {
            return null;
        }

        var media = (chosen.Response["content"]?.Members() ?? []).ToArray();
        if (media.Length == 0)
        {
            return new(chosen.Status, null, null, IsExample: false);
        }

        var (type, node) = media.FirstOrDefault(static m => IsJson(m.Name)) is { Name: not null } json ? json : media[0];
        var example = node.Raw("example") ?? (node["examples"]?.Members() ?? []).Select(static example => example.Node.Raw("value")).FirstOrDefault(static value => value is not null);
        var body = example is { } said ? JsonNode.Parse(said.Value.GetRawText()) : node.Raw("schema") is { } schema ? ExampleValue.Of(schema) : null;
        return new(chosen.Status, type.Contains('*', StringComparison.Ordinal) ? "application/json" : type, body, example is not null);
    }

    /// <summary>The bytes' text as a gateway sends it.</summary>
    internal string Text() => Body is null ? "" : !IsJson(ContentType ?? "") && Body is JsonValue value && value.TryGetValue(out string? text) ? text : Body.ToJsonString();

    private static (int Status, DocumentNode Response)? Choose(DocumentOperation operation, int? status)
    {
        var answers = operation.Responses
            .Select(static response => (Status: response.Status == "default" ? 200 : int.TryParse(response.Status, out var exact) ? exact : (response.Status[0] - '0') * 100, response.Status, response.Response))
            .ToArray();
        if (status is { } asked)
        {
            // The status itself, its range, what stands for all others.
            foreach (var name in (string[])[$"{asked}", $"{asked / 100}XX", "default"])
            {
                if (operation.Responses.FirstOrDefault(response => response.Status.Equals(name, StringComparison.OrdinalIgnoreCase)) is { Status: not null } found)
                {
                    return (asked, found.Response);
                }
            }

            return null;
        }

        return answers.Length == 0 ? null
            : answers.OrderBy(static answer => answer.Item1 is >= 200 and < 300 ? answer.Item1 : 1000 + answer.Item1).Select(static answer => ((int, DocumentNode)?)(answer.Item1, answer.Response)).First();
    }

    private static bool IsJson(string type) => DocumentOperation.MediaTypeOf(type) is var bare && (bare == "application/json" || bare.EndsWith("+json", StringComparison.Ordinal));
}
