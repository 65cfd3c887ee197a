using System.Text;
using System.Text.RegularExpressions;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>
/// Keeps answers to GET in the gateway's memory, as their <c>Cache-Control</c> and <c>Vary</c> allow (RFC 9111). An answer is given again to the
/// application that got it, and to no other one unless <paramref name="Shared"/>.
/// </summary>
/// <param name="Shared">True: what the backend marks <c>public</c> or with <c>s-maxage</c> is given to every application.</param>
/// <param name="MaxStaleSeconds">How long after its freshness an answer may still stand in for a failed one, 0 to 604,800 s.</param>
/// <param name="MaxAnswerBytes">Larger answers are not kept, 1 to 16,777,216 bytes.</param>
public sealed record CachePolicy(bool Shared = false, int MaxStaleSeconds = 86_400, int MaxAnswerBytes = 1 << 20);

/// <summary>
/// What stands in for a backend that is switched off, fails, or whose breaker is open. In this order, what there is: the alternate backend, a
/// kept answer that has become stale (needs <see cref="CachePolicy"/>; GET and HEAD), the static answer.
/// </summary>
/// <param name="Switched">True: the backend is not asked at all.</param>
/// <param name="StaleForServerErrors">
/// True: a kept answer also stands in for the backend's own 500, 502, 503 and 504 (RFC 5861, 4). Without a kept answer the client gets the backend's.
/// </param>
public sealed record DegradationPolicy(
    bool Switched = false, Guid? AlternateBackendId = null, bool Stale = true, StaticAnswer? Static = null, bool StaleForServerErrors = false);

/// <summary>An answer that needs no backend.</summary>
/// <param name="Status">200 to 599, for example 200 with a default or 503 with an explanation.</param>
/// <param name="Body">At most 65,536 bytes of UTF-8.</param>
/// <param name="ForAllMethods">False: GET and HEAD only, because a write that did not happen must not look like one that did.</param>
public sealed record StaticAnswer(int Status, string ContentType, string Body, bool ForAllMethods = false);

internal static partial class DegradationPolicyValidator
{
    public static void Validate(ApiPolicies policies, string at, KnownIds backends, Action<string, string> problem)
    {
        if (policies.Cache is { } cache)
        {
            if (cache.MaxStaleSeconds is < 0 or > 604_800)
            {
                problem(at + "/cache/maxStaleSeconds", "must be 0 to 604,800 s");
            }

            if (cache.MaxAnswerBytes is < 1 or > 16 << 20)
            {
                problem(at + "/cache/maxAnswerBytes", "must be 1 to 16,777,216 bytes");
            }
        }

        if (policies.Degradation is not { } degradation)
        {
            return;
        }

        if (degradation.AlternateBackendId is { } alternate && !backends.Contains(alternate))
        {
            problem(at + "/degradation/alternateBackendId", $"names no backend: {alternate}");
        }

        if (degradation.Static is { } answer)
        {
            if (answer.Status is < 200 or > 599 or 204 or 205 or 304)
            {
                problem(at + "/degradation/static/status", "must be 200 to 599, and one that has content");
            }

            if (!IsMediaType(answer.ContentType))
            {
                problem(at + "/degradation/static/contentType", "must be a media type such as application/json");
            }

            if (Encoding.UTF8.GetByteCount(answer.Body) > 64 << 10)
            {
                problem(at + "/degradation/static/body", "must be at most 65,536 bytes");
            }
        }
    }

    internal static bool IsMediaType(string text) => MediaType().IsMatch(text);

    [GeneratedRegex("^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}( ?; ?[A-Za-z0-9-]+=[A-Za-z0-9!#$&^_.+-]+)*\\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex MediaType();
}
