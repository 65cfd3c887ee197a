using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Lifecycle;

/// <summary>What a version that is deprecated, retired or blocked says of itself; made when a snapshot is applied.</summary>
internal sealed class LifecycleEntry
{
    public const string DeprecationHeader = "Deprecation";
    public const string SunsetHeader = "Sunset";

    private readonly StringValues _deprecation;
    private readonly StringValues _sunset;
    private readonly StringValues _links;
    private readonly long _blockedUntil = long.MinValue;

    private LifecycleEntry(ApiModel api)
    {
        State = api.Lifecycle?.State ?? LifecycleStates.Published;
        if (api.Lifecycle is { } lifecycle)
        {
            // RFC 9745, 2.1: a date of structured fields. RFC 8594, 3: an HTTP date.
            _deprecation = lifecycle.DeprecatedAt is { } deprecated ? $"@{deprecated.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)}" : default(StringValues);
            _sunset = lifecycle.SunsetAt is { } sunset ? HeaderUtilities.FormatDate(sunset) : default(StringValues);
            _links = new([.. Link(lifecycle.Successor, "successor-version"), .. Link(lifecycle.Documentation, "deprecation")]);
            Retired = lifecycle.State == LifecycleStates.Retired;
            SuccessorMember = lifecycle.Successor is { } successor ? $",\"successor\":\"{JsonEncodedText.Encode(successor)}\"" : string.Empty;
        }

        if (api.Blocked is { } block)
        {
            _blockedUntil = block.Until?.UtcTicks ?? long.MaxValue;
            ReasonMember = $",\"reason\":\"{JsonEncodedText.Encode(block.Reason)}\"";
        }
    }

    /// <summary>One of <see cref="LifecycleStates"/>.</summary>
    public string State { get; }

    public bool Retired { get; }

    /// <summary>True when there is something to say on every answer.</summary>
    public bool Announces => _deprecation.Count + _sunset.Count + _links.Count > 0;

    /// <summary>Member of the problem of a retired version, with a comma before it; or empty.</summary>
    public string SuccessorMember { get; } = string.Empty;

    /// <summary>Member of the problem of a blocked version, with a comma before it.</summary>
    public string ReasonMember { get; } = string.Empty;

    /// <summary>Null when the version is published and not blocked.</summary>
    public static LifecycleEntry? Compile(ApiModel api) =>
        api.Lifecycle is null or { State: LifecycleStates.Published } && api.Blocked is null ? null : new(api);

    /// <summary>True while a block holds; then <paramref name="left"/> is how long still, or null when it has no end.</summary>
    public bool IsBlocked(DateTimeOffset now, out TimeSpan? left)
    {
        left = _blockedUntil == long.MaxValue ? null : TimeSpan.FromTicks(Math.Max(0, _blockedUntil - now.UtcTicks));
        return now.UtcTicks < _blockedUntil;
    }

    /// <summary>What the backend says of its own deprecation does not count: the platform's word is in the snapshot. Its links stay.</summary>
    public void Announce(IHeaderDictionary headers)
    {
        Set(headers, DeprecationHeader, _deprecation);
        Set(headers, SunsetHeader, _sunset);
        if (_links.Count > 0)
        {
            headers.Link = headers.Link.Count == 0 ? _links : StringValues.Concat(headers.Link, _links);
        }

        static void Set(IHeaderDictionary headers, string name, StringValues value)
        {
            if (value.Count > 0)
            {
                headers[name] = value;
            }
        }
    }

    private static string[] Link(string? target, string relation) => target is null ? [] : [$"<{target}>; rel=\"{relation}\""];
}
