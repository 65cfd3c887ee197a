using System.Collections.Frozen;
using System.Net;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Gateway.Usage;

namespace OpenPlatform.Gateway.Context;

/// <summary>
/// What the pipeline has found out about one request so far: one object a request.
/// Each step fills in its part; a later step may rely on the parts of the earlier ones.
/// </summary>
internal sealed partial class GatewayRequest(HttpContext http, GatewaySnapshot snapshot, string requestId)
{
    /// <summary>For those who are given nothing but the HTTP context: they come behind the forward step, which says so there.</summary>
    public static GatewayRequest Of(HttpContext context) => context.Features.Get<GatewayRequest>()!;

    public HttpContext Http { get; } = http;

    /// <summary>The connection it came on; null where a connection carries several requests at once, or there is none.</summary>
    public ClientConnection? Client { get; init; }

    /// <summary>The snapshot the whole request is decided by, even when a new one is applied meanwhile.</summary>
    public GatewaySnapshot Snapshot { get; } = snapshot;

    /// <summary>Accepted from the client when well-formed, otherwise our own; sent on and sent back as <c>X-Request-Id</c>.</summary>
    public string RequestId { get; } = requestId;

    /// <summary>Who called, as far as trusted proxies vouch for it. Set when the request begins.</summary>
    public Origin Origin { get; init; } = Origin.Unknown;

    /// <summary>The client's address, IPv4 never in its IPv6-mapped form; <see cref="IPAddress.None"/> when the connection has none.</summary>
    public IPAddress ClientAddress => Origin.Address;

    /// <summary>Set by the route step.</summary>
    public OperationEntry Operation { get; set; } = null!;

    /// <summary>Set by the authentication step.</summary>
    public ApplicationEntry Application { get; set; } = null!;

    /// <summary>Fills in the application that a credential belongs to; false when this gateway does not know it (yet).</summary>
    public bool TryIdentify(Guid applicationId)
    {
        if (Snapshot.FindApplication(applicationId) is not { } application)
        {
            return false;
        }

        Application = application;
        return true;
    }

    /// <summary>How the application was identified, or was to be. Set by the authentication step.</summary>
    public CredentialScheme Scheme { get; set; } = CredentialScheme.ApiKey;

    /// <summary>Set by the authentication step when the request is signed.</summary>
    public SignedRequest? Signed { get; set; }

    /// <summary>Set by the authentication step when the request has an access token: what it grants.</summary>
    public FrozenSet<string>? TokenScopes { get; set; }

    /// <summary>True when the key came as <c>Authorization: Bearer</c>: then that header is a secret of ours and goes no further.</summary>
    public bool KeyInAuthorization { get; set; }

    /// <summary>Set by the authorization step.</summary>
    public SubscriptionEntry Subscription { get; set; } = null!;

    /// <summary>Set by the limit step: all that the request must pass.</summary>
    public LimitSet? Limits { get; set; }

    /// <summary>Set by the limit step when it refuses: µs until no limit refuses.</summary>
    public long LimitWait { get; set; }

    /// <summary>Set by the limit step: the limit that leaves the least; null when there is none.</summary>
    public RateLimiter? TightestLimit { get; set; }

    /// <summary>Set by the split step: the backend that is to answer.</summary>
    public BackendState Backend { get; set; } = null!;

    /// <summary>Set by the split step: the variant that answers, when clients are to see it.</summary>
    public string? Variant { get; set; }

    /// <summary>Set by the forward step: the instance of the last try.</summary>
    public Instance? Instance { get; set; }

    /// <summary>Set by the usage step: bills the answer.</summary>
    public MeteredBody? Meter { get; set; }

    /// <summary>True from the moment a backend's answer is being passed to the client.</summary>
    public bool AnsweredByBackend { get; set; }

    /// <summary>True when the answer reached the client to its end.</summary>
    public bool AnsweredWhole { get; set; }

    /// <summary>True when the backend broke its answer off; such an answer is not billed.</summary>
    public bool AnswerBroken { get; set; }

    /// <summary>Why the gateway answered itself, or <see cref="Refusal.None"/>.</summary>
    public Refusal Refusal { get; set; }
}
