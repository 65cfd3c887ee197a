using System.Text.Json;
using System.Text.RegularExpressions;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Contracts.Declarative;

/// <summary>What System.Text.Json found wrong, in words that name no .NET type.</summary>
public static partial class JsonProblem
{
    /// <summary>Pointer and message of a failed deserialization.</summary>
    public static SnapshotProblem Of(JsonException exception)
    {
        var pointer = PointerOf(exception.Path ?? "$");
        var message = exception.Message;
        if (Unknown().Match(message) is { Success: true } unknown)
        {
            var name = unknown.Groups["name"].Value;
            return new(pointer.EndsWith("/" + name, StringComparison.Ordinal) ? pointer : $"{pointer}/{name}", "is not known here; check its spelling and its place");
        }

        if (Missing().Match(message) is { Success: true } missing)
        {
            return new(pointer, $"lacks {missing.Groups["names"].Value.Replace("'", "", StringComparison.Ordinal)}");
        }

        return new(pointer, message.Contains("could not be converted", StringComparison.Ordinal) ? "has the wrong type or is not one of the allowed values"
            : message.Contains("null", StringComparison.Ordinal) ? "must not be null" : "cannot be read");
    }

    /// <summary><c>$.apis[0]['a b']</c> → <c>/apis/0/a b</c>.</summary>
    private static string PointerOf(string path) => string.Concat(Step().Matches(path).Select(static step => "/" + DeclaredName.Escape(step.Groups["step"].Value)));

    [GeneratedRegex(@"\.(?<step>[^.\[\]]+)|\[(?<step>\d+)\]|\['(?<step>[^']*)'\]", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Step();

    [GeneratedRegex("^The JSON property '(?<name>[^']*)' could not be mapped", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Unknown();

    [GeneratedRegex(@"missing required properties including: (?<names>[^.]*)\.", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Missing();
}
