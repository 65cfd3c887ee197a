using System.Text.Json;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>
/// What the gateway does for one API version beyond routing. One optional member for each capability, null = off. Each record
/// stands beside its validation in a file of its own. (The JSON source generator forgets initializers of init members: optional
/// members are nullable, or constructor parameters with a default.)
/// </summary>
public sealed record ApiPolicies
{
    public LimitPolicy? Limits { get; init; }

    public TimeoutPolicy? Timeouts { get; init; }

    public RetryPolicy? Retry { get; init; }

    public BreakerPolicy? Breaker { get; init; }

    public BulkheadPolicy? Bulkhead { get; init; }

    public SplitPolicy? Split { get; init; }

    public CachePolicy? Cache { get; init; }

    public DegradationPolicy? Degradation { get; init; }

    public CorsPolicy? Cors { get; init; }

    public AddressPolicy? Addresses { get; init; }

    public BodyPolicy? Body { get; init; }

    public HeaderPolicy? Headers { get; init; }

    public SecurityHeadersPolicy? SecurityHeaders { get; init; }

    /// <summary>What a caller needs at every operation that does not say so itself: all of them. Null: nothing beyond the subscription.</summary>
    public IReadOnlyList<string>? Scopes { get; init; }

    /// <summary>True: operations that have an example are answered with it, and their backend is not asked.</summary>
    public bool? Mock { get; init; }

    /// <summary>The <c>components/schemas</c> of the OpenAPI document, to which the schemas of operations refer.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Schemas { get; init; }
}

/// <summary>What differs for one operation; a member that is null leaves what the API says.</summary>
public sealed record OperationPolicies
{
    /// <summary>Limits of this operation alone, beside those of the API.</summary>
    public LimitPolicy? Limits { get; init; }

    /// <summary>Units that one request takes from every limit and quota, 1 to 1,000; null: 1.</summary>
    public int? Cost { get; init; }

    public TimeoutPolicy? Timeouts { get; init; }

    /// <summary>May a request be repeated although something was sent? Null: what RFC 9110, 9.2.2 says of the method.</summary>
    public bool? Idempotent { get; init; }

    /// <summary>Its members stand in place of the API's.</summary>
    public BodyPolicy? Body { get; init; }

    /// <summary>In place of the API's; empty: none.</summary>
    public IReadOnlyList<string>? Scopes { get; init; }

    /// <summary>In place of the API's; true needs an <see cref="Example"/>.</summary>
    public bool? Mock { get; init; }

    /// <summary>Kept for the time when it is needed: it does nothing while <see cref="Mock"/> is off.</summary>
    public ExampleAnswer? Example { get; init; }

    /// <summary>What a JSON body must match, as the OpenAPI document has it; see <see cref="Schemas.JsonSchemaReader"/>.</summary>
    public JsonElement? RequestSchema { get; init; }
}
