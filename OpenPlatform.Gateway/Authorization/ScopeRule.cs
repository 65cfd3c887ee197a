using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Authorization;

/// <summary>The scopes that an operation asks for, and what a caller without them is told (RFC 6750, 3.1).</summary>
internal sealed class ScopeRule
{
    private readonly string[] _scopes;

    private ScopeRule(IReadOnlyList<string> scopes)
    {
        _scopes = [.. scopes];
        Challenge = $"Bearer {CredentialSchemeSet.Realm}, error=\"insufficient_scope\", scope=\"{string.Join(' ', _scopes)}\"";
    }

    /// <summary>Value of <c>WWW-Authenticate</c>.</summary>
    public StringValues Challenge { get; }

    /// <summary>For the operations of an API; those that ask for the same as the API share a rule. Null: nothing is asked for.</summary>
    public static Func<OperationModel, ScopeRule?> Compiler(ApiPolicies? policies)
    {
        var ofApi = Compile(policies?.Scopes);
        return operation => operation.Policies?.Scopes is { } own ? Compile(own) : ofApi;
    }

    /// <summary>True when plan and token grant all of them. Allocates nothing.</summary>
    public bool IsMet(GatewayRequest request)
    {
        var ofPlan = request.Subscription.Plan.Scopes;
        if (request.Scheme == CredentialScheme.Jwt)
        {
            return GrantedBy(request.TokenScopes) && (ofPlan is null || GrantedBy(ofPlan));
        }

        return GrantedBy(ofPlan);
    }

    private static ScopeRule? Compile(IReadOnlyList<string>? scopes) => scopes is { Count: > 0 } ? new(scopes) : null;

    private bool GrantedBy(FrozenSet<string>? granted)
    {
        if (granted is null)
        {
            return false;
        }

        foreach (var scope in _scopes)
        {
            if (!granted.Contains(scope))
            {
                return false;
            }
        }

        return true;
    }
}
