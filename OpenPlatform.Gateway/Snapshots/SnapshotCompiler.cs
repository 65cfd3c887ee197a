using System.Collections.Frozen;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authorization;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Lifecycle;
using OpenPlatform.Gateway.Mocks;
using OpenPlatform.Gateway.Protection;
using OpenPlatform.Gateway.Protection.Addresses;
using OpenPlatform.Gateway.Protection.Bodies;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Gateway.Routing;

namespace OpenPlatform.Gateway.Snapshots;

/// <summary>Turns a valid <see cref="Snapshot"/> into look-up structures.</summary>
internal static class SnapshotCompiler
{
    /// <param name="snapshot">Must have passed <see cref="SnapshotValidator"/>.</param>
    /// <param name="instances">Keeps the state of backends across snapshots.</param>
    /// <param name="forwards">Keeps the state of breakers and bulkheads across snapshots.</param>
    /// <param name="identity">Opens secrets, keeps the keys of issuers across snapshots.</param>
    public static GatewaySnapshot Compile(Snapshot snapshot, InstanceDirectory instances, ForwardCompiler forwards, IdentityCompiler identity)
    {
        var resilience = forwards.Begin();
        var backends = snapshot.Backends.ToDictionary(static b => b.BackendId, instances.GetOrAdd);
        instances.Retain(backends.Keys);

        var apis = new Dictionary<Guid, ApiEntry>(snapshot.Apis.Count);
        var routes = new RouteTable.Builder();
        foreach (var api in snapshot.Apis)
        {
            var entry = new ApiEntry(apis.Count, api.VersionId, api.Name, api.Version, api.BasePath, backends[api.BackendId])
            {
                Limits = api.Policies?.Limits?.RateLimits ?? [],
                Split = api.Policies?.Split is { } split ? new(api.VersionId, split, backends) : null,
                Cache = api.Policies?.Cache,
                Degradation = api.Policies?.Degradation is { } degradation ? new(degradation, backends) : null,
                Lifecycle = LifecycleEntry.Compile(api),
                Protection = ProtectionModel.Compile(api.Policies),
                Addresses = AddressRule.Compile(api.Policies?.Addresses),
            };
            apis.Add(api.VersionId, entry);
            routes.Add(entry, api.Operations, new(resilience.ForApi(api), BodyModel.Compiler(api.Policies), ScopeRule.Compiler(api.Policies), MockModel.Compiler(api.Policies)));
        }

        var applications = new Dictionary<Guid, ApplicationEntry>(snapshot.Applications.Count);
        foreach (var application in snapshot.Applications)
        {
            applications.Add(application.ApplicationId, new(applications.Count, application.ApplicationId, application.Suspended)
            {
                Addresses = AddressRule.Compile(application.Addresses),
            });
        }

        var plans = snapshot.Plans.ToDictionary(
            static p => p.PlanId, static p => new PlanEntry(p.PlanId, p.RateLimits, p.Quotas ?? [])
            {
                Priority = p.Priority ?? 5,
                Schemes = CredentialSchemeSet.Of(p.Schemes),
                Challenge = CredentialSchemeSet.Challenge(CredentialSchemeSet.Of(p.Schemes)),
                Scopes = p.Scopes?.ToFrozenSet(StringComparer.Ordinal),
                ReplayCheck = p.ReplayCheck == true,
            });
        var perApplication = snapshot.Apis.ToDictionary(static a => a.VersionId, static a => a.Policies?.Bulkhead?.MaxConcurrentPerApplication);

        var compiled = new GatewaySnapshot
        {
            Revision = snapshot.Revision,
            Routes = routes.Build(),
            Credentials = snapshot.Credentials.ToFrozenDictionary(
                static c => KeyDigest.Read(c.Hash.Span),
                c => new CredentialEntry(applications[c.ApplicationId], c.ExpiresAt?.UtcTicks ?? long.MaxValue)),
            Identity = identity.Compile(snapshot, applications),
            Subscriptions = snapshot.Subscriptions
                .Select(s => new SubscriptionEntry(s.SubscriptionId, applications[s.ApplicationId], apis[s.VersionId], plans[s.PlanId])
                {
                    Bulkhead = resilience.Bulkhead(s.VersionId, s.ApplicationId, perApplication[s.VersionId]),
                })
                .ToFrozenDictionary(static s => GatewaySnapshot.SubscriptionKey(s.Application.Index, s.Api.Index)),
            Backends = [.. backends.Values],
        };
        resilience.End();
        return compiled;
    }
}
