using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Protection.Cors;
using OpenPlatform.Gateway.Protection.Headers;

namespace OpenPlatform.Gateway.Protection;

/// <summary>What an API version does to headers, and for browsers.</summary>
internal sealed class ProtectionModel
{
    private ProtectionModel(ApiPolicies policies)
    {
        Cors = policies.Cors is { } cors ? new(cors) : null;
        Security = policies.SecurityHeaders is { } security ? new(security) : null;
        RequestHeaders = policies.Headers?.Request is { } request ? new(request) : null;
        ResponseHeaders = policies.Headers?.Response is { } response ? new(response) : null;
    }

    public CorsModel? Cors { get; }

    public SecurityHeaders? Security { get; }

    public HeaderRulesModel? RequestHeaders { get; }

    public HeaderRulesModel? ResponseHeaders { get; }

    /// <summary>Null when there is nothing to do.</summary>
    public static ProtectionModel? Compile(ApiPolicies? policies) =>
        policies is null or { Cors: null, SecurityHeaders: null, Headers: null } ? null : new(policies);
}
