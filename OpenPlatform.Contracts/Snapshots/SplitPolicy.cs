using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>
/// Divides an API's requests between backends. For each request in this order: the first variant whose header matches, the first that names
/// the application, a variant by weight. All variants by weight: what is left of 100 % goes to the API's own backend.
/// </summary>
/// <param name="StickyHeader">
/// Requests with the same value of this header get the same variant by weight; null, or a request without it: the same for each application.
/// </param>
/// <param name="ShowVariant">True: answers carry <c>X-OpenPlatform-Variant</c>.</param>
public sealed record SplitPolicy(IReadOnlyList<VariantPolicy> Variants, string? StickyHeader = null, bool ShowVariant = false);

/// <summary>One backend beside the API's own.</summary>
/// <param name="Name">For the marker: <c>[a-z0-9-]{1,63}</c>.</param>
/// <param name="WeightPercent">Share by weight, 0 to 100 %; of all variants together at most 100.</param>
/// <param name="Header">Requests whose header has the value go here.</param>
/// <param name="Applications">Requests of these applications go here.</param>
public sealed record VariantPolicy(
    string Name, Guid BackendId, double WeightPercent = 0, HeaderMatch? Header = null, IReadOnlyList<Guid>? Applications = null);

/// <summary>A header with exactly this value, compared byte by byte; the name in any case.</summary>
public sealed record HeaderMatch(string Name, string Value);

internal static partial class SplitPolicyValidator
{
    public static void Validate(SplitPolicy? split, string at, KnownIds backends, KnownIds applications, Action<string, string> problem)
    {
        if (split is null)
        {
            return;
        }

        if (split.Variants.Count is 0 or > 16)
        {
            problem(at + "/variants", "must be 1 to 16");
        }

        if (split.StickyHeader is { } sticky && !Token().IsMatch(sticky))
        {
            problem(at + "/stickyHeader", "must be a header name");
        }

        var names = new HashSet<string>(StringComparer.Ordinal) { "default" };
        var sum = 0d;
        for (var i = 0; i < split.Variants.Count; i++)
        {
            if (split.Variants[i] is not { } variant)
            {
                problem($"{at}/variants/{i}", "must not be null");
                continue;
            }

            if (!Name().IsMatch(variant.Name) || !names.Add(variant.Name))
            {
                problem($"{at}/variants/{i}/name", "must match [a-z0-9-]{1,63}, be unique in the split and not be 'default'");
            }

            if (!backends.Contains(variant.BackendId))
            {
                problem($"{at}/variants/{i}/backendId", $"names no backend: {variant.BackendId}");
            }

            if (variant.WeightPercent is not (>= 0 and <= 100) || (sum += variant.WeightPercent) > 100.0001)
            {
                problem($"{at}/variants/{i}/weightPercent", "must be 0 to 100 %, and at most 100 % with the variants before it");
            }

            if (variant.Header is { } header && !Token().IsMatch(header.Name))
            {
                problem($"{at}/variants/{i}/header/name", "must be a header name");
            }

            for (var j = 0; j < variant.Applications?.Count; j++)
            {
                if (!applications.Contains(variant.Applications[j]))
                {
                    problem($"{at}/variants/{i}/applications/{j}", $"names no application: {variant.Applications[j]}");
                }
            }
        }
    }

    [GeneratedRegex("^[a-z0-9-]{1,63}\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Name();

    // RFC 9110, 5.6.2
    [GeneratedRegex("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Token();
}
