using System.Text.Json.Nodes;
using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Changes;

/// <summary>The difference between two states of an item.</summary>
internal static class DeclaredDiff
{
    /// <summary>What happened between the two; null is a state too: not there.</summary>
    public static ItemChange Between(string kind, string name, JsonObject? before, JsonObject? after)
    {
        if (before is null || after is null)
        {
            return new(kind, name, (before, after) switch
            {
                (null, null) => ChangeAction.Unchanged,
                (null, _) => ChangeAction.Created,
                _ => ChangeAction.Deleted,
            }, null);
        }

        var members = new List<string>();
        Compare(before, after, "", members);
        return members.Count == 0 ? new(kind, name, ChangeAction.Unchanged, null) : new(kind, name, ChangeAction.Changed, members);
    }

    // Down to the members of objects; a list is one thing.
    private static void Compare(JsonObject before, JsonObject after, string at, List<string> members)
    {
        foreach (var name in before.Select(static member => member.Key).Union(after.Select(static member => member.Key), StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var pointer = $"{at}/{ProblemExceptionHandler.Escape(name)}";
            if (before[name] is JsonObject left && after[name] is JsonObject right)
            {
                Compare(left, right, pointer, members);
            }
            else if (!JsonNode.DeepEquals(before[name], after[name]))
            {
                members.Add(pointer);
            }
        }
    }
}
