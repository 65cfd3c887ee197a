using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Webhooks;

/// <summary>Where events are sent.</summary>
/// <param name="EventTypes">Whole types, <c>openplatform.&lt;resource&gt;.*</c>, or <c>*</c>.</param>
/// <param name="OrganizationId">Hears of nothing but this organization; null: of everything.</param>
/// <param name="Active">False: hears of nothing new, and what waits goes on waiting.</param>
/// <param name="PreviousSecretUntil">Until then the secret before the last rotation signs as well; null: there is none.</param>
public record Webhook(
    Guid Id, string Url, IReadOnlyList<string> EventTypes, Guid? OrganizationId, bool Active, DateTimeOffset? PreviousSecretUntil, DateTimeOffset CreatedAt,
    [property: JsonIgnore] long Etag) : ICatalogResource;

/// <summary>A webhook with its new secret, shown this once.</summary>
/// <param name="Secret"><c>whsec_</c> and base64 of 32 bytes, as Standard Webhooks has it.</param>
public sealed record IssuedWebhook(
    Guid Id, string Url, IReadOnlyList<string> EventTypes, Guid? OrganizationId, bool Active, DateTimeOffset? PreviousSecretUntil, DateTimeOffset CreatedAt,
    long Etag, string Secret) : Webhook(Id, Url, EventTypes, OrganizationId, Active, PreviousSecretUntil, CreatedAt, Etag);

/// <param name="Url">https, without user name; at most 2,048 characters.</param>
/// <param name="EventTypes">1 to 100; everything when absent.</param>
/// <param name="OrganizationId">Fixed once it is created.</param>
public sealed partial record WebhookRequest([property: Required] string? Url, IReadOnlyList<string>? EventTypes = null, Guid? OrganizationId = null, bool Active = true)
{
    private const int MaxUrl = 2048;
    private const int MaxTypes = 100;

    /// <summary>The address as it is kept: without blanks around it, its scheme in lower case.</summary>
    internal string Address => Uri.TryCreate(Url, UriKind.Absolute, out var url) && Url.Trim() is var text && text.StartsWith(url.Scheme, StringComparison.OrdinalIgnoreCase)
        ? url.Scheme + text[url.Scheme.Length..]
        : Url!;

    internal CatalogProblem? Check(WebhookGuard guard)
    {
        var check = new RequestCheck();
        if (Url is null)
        {
            check.Add("/url", "is required");
        }
        else if (Url.Length > MaxUrl || !Uri.TryCreate(Url, UriKind.Absolute, out var url) || url.UserInfo.Length > 0 || url.Fragment.Length > 0)
        {
            check.Add("/url", $"must be an absolute address of at most {MaxUrl} characters, without user name and fragment");
        }
        else if (!guard.AllowsScheme(url))
        {
            check.Add("/url", "must be https");
        }
        else if (IPAddress.TryParse(url.Host.Trim('[', ']'), out var address) && !guard.Allows(address))
        {
            check.Add("/url", "is an address inside of a network that webhooks may not reach");
        }

        if (EventTypes is { Count: 0 or > MaxTypes })
        {
            check.Add("/eventTypes", $"must be 1 to {MaxTypes}");
        }

        for (var i = 0; i < Math.Min(EventTypes?.Count ?? 0, MaxTypes); i++)
        {
            if (EventTypes![i] is null || !EventType().IsMatch(EventTypes[i]))
            {
                check.Add($"/eventTypes/{i}", "must be an event type, openplatform.<resource>.* or *");
            }
        }

        return check.Problem;
    }

    [GeneratedRegex(@"^(\*|openplatform\.[a-z][a-z0-9_-]*\.(\*|[a-z][a-z0-9_.-]*))\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex EventType();
}

/// <param name="OverlapSeconds">How long the old secret signs as well, 0 to 2,592,000 s (30 days); a day when absent.</param>
public sealed record SecretRotation(int? OverlapSeconds = null)
{
    private const int Day = 86_400;
    private const int Longest = 30 * Day;

    internal TimeSpan Overlap => TimeSpan.FromSeconds(OverlapSeconds ?? Day);

    internal CatalogProblem? Check() =>
        OverlapSeconds is < 0 or > Longest ? CatalogProblem.Invalid(new ProblemError("/overlapSeconds", $"must be 0 to {Longest}")) : null;
}

/// <summary>What has become of a delivery.</summary>
public enum DeliveryState
{
    /// <summary>Not delivered yet; tried again.</summary>
    Pending,

    /// <summary>The receiver answered 2xx.</summary>
    Delivered,

    /// <summary>Given up, until somebody replays it.</summary>
    Dead,
}

/// <summary>One event on its way to one webhook.</summary>
/// <param name="Id">Of the event; sent as <c>webhook-id</c>, the same at every try.</param>
/// <param name="NextAttemptAt">Null: there will be none.</param>
/// <param name="LastStatus">HTTP status of the last answer; null: none came.</param>
/// <param name="LastError">Why the last try failed; null: it did not.</param>
public sealed record Delivery(
    Guid Id, string Type, string Subject, DeliveryState State, int Attempts, DateTimeOffset? NextAttemptAt, DateTimeOffset? LastAttemptAt, int? LastStatus, string? LastError) : ICatalogResource
{
    [JsonIgnore]
    public long Etag => Attempts + 1;
}

/// <summary>How many dead deliveries were put back in the queue.</summary>
public sealed record Replayed(long Deliveries);
