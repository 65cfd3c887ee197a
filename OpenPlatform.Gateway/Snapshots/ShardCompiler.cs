using System.Collections.Frozen;
using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Snapshots.Shards;
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

/// <summary>A shard that is to be in force.</summary>
/// <param name="Content">Null: there is none any more under this name.</param>
internal sealed record ShardChange(string Name, string Hash, Snapshot? Content);

/// <summary>
/// Turns changed shards into the next <see cref="GatewaySnapshot"/>: checks and compiles those, and shares the rest with the one before. A shard that is
/// wrong keeps what was in force under its name; the others move on.
/// </summary>
internal sealed class ShardCompiler(InstanceDirectory instances, ForwardCompiler forwards, IdentityCompiler identity)
{
    /// <param name="manifest">What <paramref name="changes"/> lead to, unless some are refused.</param>
    public GatewaySnapshot Compile(GatewaySnapshot previous, ConfigManifest manifest, IReadOnlyCollection<ShardChange> changes, out IReadOnlyList<RefusedShard> refused)
    {
        var next = new Next(previous);
        foreach (var change in changes.OrderBy(static change => KindOf(change.Name)))
        {
            next.Try(change, () => Apply(next, change));
            BackgroundThread.GiveWay();
        }

        next.RefuseTakenBasePaths();
        FollowPlans(next);
        var backends = previous.Backends;
        if (next.ApisChanged || next.BackendsChanged)
        {
            backends = Backends(next);
            instances.Retain(backends.Select(static backend => backend.Model.BackendId).ToHashSet());
            forwards.Retain(next.Apis);
        }

        BackgroundThread.GiveWay();
        refused = next.Refused;
        return new()
        {
            Revision = manifest.Revision,
            CreatedAt = manifest.CreatedAt,
            AppliedAt = DateTimeOffset.UtcNow,
            Shards = next.Shards(manifest.Shards),
            Core = next.Core,
            Apis = next.Apis,
            Routes = next.ApisChanged ? RouteTable.Of(next.Apis.Values.Select(static api => api.Routes)) : previous.Routes,
            Applications = next.Applications,
            Credentials = next.Credentials,
            Identity = next.IssuersChanged || next.CredentialsChanged ? identity.Compile(next.Core.Issuers, next.Credentials, previous.Identity) : previous.Identity,
            Backends = backends,
        };
    }

    // Core first: what the others name is in it.
    private static ShardKind KindOf(string name) => ShardName.TryParse(name, out var kind, out _, out _) ? kind : ShardKind.Credentials;

    /// <exception cref="ShardException">The shard is wrong.</exception>
    private void Apply(Next next, ShardChange change)
    {
        if (!ShardName.TryParse(change.Name, out var kind, out var version, out var segment))
        {
            throw new ShardException("this gateway knows no such shard");
        }

        var content = change.Content ?? Snapshot.Empty;
        var named = new HashSet<Guid>();
        var problems = SnapshotValidator.Validate(content, new(Backend, Plan, Anything, Anything));
        BackgroundThread.GiveWay();
        ShardException.ThrowIfAny(problems.Count > 0 ? problems : [.. identity.FindProblems(content)]);
        switch (kind)
        {
            case ShardKind.Core:
                next.Issuers = (content.Issuers ?? []).Count == 0 && next.Issuers.Count == 0 ? next.Issuers : identity.CompileIssuers(content);
                next.PutPart(change.Name, change.Content is null ? null : CompilePart(content, next.Previous));
                break;
            case ShardKind.Backends or ShardKind.Plans:
                next.PutPart(change.Name, change.Content is null ? null : CompilePart(content, next.Previous));
                break;
            case ShardKind.Api when change.Content is null:
                next.RemoveApi(version);
                break;
            case ShardKind.Api:
                if (content.Apis is not [var api] || api.VersionId != version)
                {
                    throw new ShardException("holds another API version than its name says");
                }

                next.PutApi(version, CompileApi(api, next.Core, named));
                break;
            case ShardKind.Applications:
                next.PutApplications(segment, CompileApplications(content, next.Core, next.Applications[segment]));
                break;
            default:
                next.PutCredentials(segment, identity.CompileCredentials(content, next.Credentials[segment]));
                break;
        }

        bool Backend(Guid id)
        {
            named.Add(id);
            return next.Core.Backends.ContainsKey(id);
        }

        // These two are asked for each partner and each key, which are what there is much of in a shard.
        bool Plan(Guid id)
        {
            BackgroundThread.GiveWay();
            return next.Core.Plans.ContainsKey(id);
        }

        // A credential without its application, a subscription to a version that is not here: nobody gets in by them.
        static bool Anything(Guid id)
        {
            BackgroundThread.GiveWay();
            return true;
        }
    }

    private CorePart CompilePart(Snapshot part, CoreModel previous) => new(
        [.. part.Backends.Select(backend => KeyValuePair.Create(backend.BackendId, instances.GetOrAdd(backend)))],
        [.. part.Plans.Select(plan =>
        {
            var json = JsonSerializer.Serialize(plan, SnapshotJson.Default.PlanModel);
            return KeyValuePair.Create(plan.PlanId, previous.Plans.GetValueOrDefault(plan.PlanId) is { } known && known.Json == json ? known : new CompiledPlan(json, CompilePlan(plan)));
        })]);

    private static PlanEntry CompilePlan(PlanModel plan) => new(plan.PlanId, plan.RateLimits, plan.Quotas ?? [])
    {
        Priority = plan.Priority ?? 5,
        Schemes = CredentialSchemeSet.Of(plan.Schemes),
        Challenge = CredentialSchemeSet.Challenge(CredentialSchemeSet.Of(plan.Schemes)),
        Scopes = plan.Scopes?.ToFrozenSet(StringComparer.Ordinal),
        ReplayCheck = plan.ReplayCheck == true,
    };

    private CompiledApi CompileApi(ApiModel api, CoreModel core, IEnumerable<Guid> named)
    {
        var entry = new ApiEntry(api.VersionId, api.Name, api.Version, api.BasePath, core.Backends[api.BackendId])
        {
            Limits = api.Policies?.Limits?.RateLimits ?? [],
            Split = api.Policies?.Split is { } split ? new(api.VersionId, split, core.Backends) : null,
            Cache = api.Policies?.Cache,
            Degradation = api.Policies?.Degradation is { } degradation ? new(degradation, core.Backends) : null,
            Lifecycle = LifecycleEntry.Compile(api),
            Protection = ProtectionModel.Compile(api.Policies),
            Addresses = AddressRule.Compile(api.Policies?.Addresses),
        };
        var compilers = new OperationCompilers(forwards.ForApi(api), BodyModel.Compiler(api.Policies), ScopeRule.Compiler(api.Policies), MockModel.Compiler(api.Policies));
        return new(entry, RouteTable.Compile(entry, api.Operations, compilers), [.. named.Select(id => core.Backends[id])]);
    }

    /// <summary>What is as it was stays the same object: when one of some hundreds changes, the others leave nothing to collect, and their subscriptions keep their limiters.</summary>
    private static FrozenDictionary<Guid, ApplicationEntry> CompileApplications(Snapshot part, CoreModel core, FrozenDictionary<Guid, ApplicationEntry> previous)
    {
        var subscriptions = part.Subscriptions.ToLookup(static s => s.ApplicationId);
        return part.Applications.ToFrozenDictionary(static a => a.ApplicationId, application =>
        {
            BackgroundThread.GiveWay();
            var known = previous.GetValueOrDefault(application.ApplicationId);
            SubscriptionEntry[] mine = [.. subscriptions[application.ApplicationId].OrderBy(static s => s.VersionId).Select(s => Subscription(s, known))];
            var isSame = known is not null && known.Suspended == application.Suspended && known.Addresses is null && application.Addresses is null
                && mine.AsSpan().SequenceEqual(known.Subscriptions, ReferenceEqualityComparer.Instance);
            return isSame ? known! : new(application.ApplicationId, application.Suspended, mine) { Addresses = AddressRule.Compile(application.Addresses) };
        });

        SubscriptionEntry Subscription(SubscriptionModel model, ApplicationEntry? application)
        {
            var plan = core.Plans[model.PlanId].Entry;
            return application?.Find(model.VersionId) is { } known && known.SubscriptionId == model.SubscriptionId && ReferenceEquals(known.Plan, plan)
                ? known
                : new(model.SubscriptionId, model.ApplicationId, model.VersionId, plan);
        }
    }

    /// <summary>Subscriptions hold their plan: where a plan is another now, its subscriptions are made anew.</summary>
    private static void FollowPlans(Next next)
    {
        // A new plan has no subscriptions yet, or they came with it and hold it already.
        if (!next.PlansReplaced)
        {
            return;
        }

        for (var segment = 0; segment < next.Applications.Length; segment++)
        {
            BackgroundThread.GiveWay();
            if (next.Applications[segment].Values.SelectMany(static application => application.Subscriptions).Any(IsOutdated))
            {
                next.PutApplications(segment, next.Applications[segment].Values.ToFrozenDictionary(static application => application.ApplicationId, application =>
                    application with { Subscriptions = [.. application.Subscriptions.Select(Follow)] }));
            }
        }

        // A plan that is gone (though a subscription of a refused shard still has it) goes on as it was.
        bool IsOutdated(SubscriptionEntry subscription) =>
            next.Core.Plans.GetValueOrDefault(subscription.Plan.PlanId) is { } plan && !ReferenceEquals(plan.Entry, subscription.Plan);

        SubscriptionEntry Follow(SubscriptionEntry subscription) =>
            IsOutdated(subscription) ? subscription with { Plan = next.Core.Plans[subscription.Plan.PlanId].Entry, Limits = null } : subscription;
    }

    /// <summary>Those of the core, and those that only an API whose new shard was refused still uses.</summary>
    private static BackendState[] Backends(Next next) =>
        [.. next.Core.Backends.Values.Concat(next.Apis.Values.SelectMany(static api => api.Backends)).Distinct()];

    /// <summary>What the next snapshot is made of so far: copies of what changes, the rest of the one before.</summary>
    private sealed class Next(GatewaySnapshot previous)
    {
        private readonly Dictionary<string, string?> _shards = new(StringComparer.Ordinal);
        private readonly List<RefusedShard> _refused = [];
        private readonly Dictionary<Guid, ShardChange> _changedApis = [];
        private Dictionary<Guid, CompiledApi>? _apis;
        private readonly Dictionary<string, CorePart?> _parts = new(StringComparer.Ordinal);
        private CoreModel? _core = previous.Core;

        /// <param name="alike">Usually has the same names.</param>
        public ShardHashes Shards(ShardHashes alike) => previous.Shards.With(_shards, alike);

        public IReadOnlyList<RefusedShard> Refused => _refused;

        public CoreModel Previous => previous.Core;

        /// <summary>With the parts that were put so far.</summary>
        public CoreModel Core => _core ??= previous.Core.With(_parts) with { Issuers = Issuers };

        public FrozenDictionary<string, Authentication.Tokens.IssuerEntry> Issuers { get; set; } = previous.Core.Issuers;

        public bool IssuersChanged => !ReferenceEquals(Issuers, previous.Core.Issuers);

        /// <summary>There are others than before, not merely another state of them.</summary>
        public bool BackendsChanged { get; private set; }

        /// <summary>A plan of before may be another now.</summary>
        public bool PlansReplaced { get; private set; }

        public IReadOnlyDictionary<Guid, CompiledApi> Apis => _apis ?? previous.Apis;

        public bool ApisChanged => _apis is not null;

        public FrozenDictionary<Guid, ApplicationEntry>[] Applications { get; private set; } = previous.Applications;

        public CredentialSegment[] Credentials { get; private set; } = previous.Credentials;

        public bool CredentialsChanged => !ReferenceEquals(Credentials, previous.Credentials);

        public void Try(ShardChange change, Action apply)
        {
            try
            {
                apply();
                if (ShardName.TryParse(change.Name, out var kind, out var version, out _) && kind == ShardKind.Api)
                {
                    _changedApis[version] = change;
                }

                _shards[change.Name] = change.Content is null ? null : change.Hash;
            }
            catch (Exception e)
            {
                // Also what nobody thought of: one shard must not keep the others from moving on.
                _refused.Add(new(change.Name, e is ShardException ? e.Message : $"cannot be compiled: {e.GetType().Name}: {e.Message}"));
            }
        }

        /// <param name="part">Null: the shard is gone.</param>
        public void PutPart(string name, CorePart? part)
        {
            var before = previous.Core.Parts.GetValueOrDefault(name);
            BackendsChanged |= !(before?.Backends ?? []).Select(static backend => backend.Value).SequenceEqual((part?.Backends ?? []).Select(static backend => backend.Value));

            // What the core says hides what segments say: whatever it says no more may bring another one to light.
            PlansReplaced |= (name == ShardName.Core && before is { Plans.Count: > 0 })
                || (part?.Plans ?? []).Any(plan => previous.Core.Plans.GetValueOrDefault(plan.Key) is { } known && !ReferenceEquals(known.Entry, plan.Value.Entry));
            _parts[name] = part;
            _core = null;
        }

        public void PutApi(Guid version, CompiledApi api) => Own()[version] = api;

        public void RemoveApi(Guid version) => Own().Remove(version);

        public void PutApplications(int segment, FrozenDictionary<Guid, ApplicationEntry> applications)
        {
            Applications = ReferenceEquals(Applications, previous.Applications) ? [.. Applications] : Applications;
            Applications[segment] = applications;
        }

        public void PutCredentials(int segment, CredentialSegment credentials)
        {
            Credentials = ReferenceEquals(Credentials, previous.Credentials) ? [.. Credentials] : Credentials;
            Credentials[segment] = credentials;
        }

        /// <summary>
        /// Two versions with one base path: whoever came with this change goes back to what it was, because the other may be one that was refused and
        /// keeps the base path which it should have given up.
        /// </summary>
        public void RefuseTakenBasePaths()
        {
            while (ApisChanged && Apis.Values.GroupBy(static api => api.Entry.BasePath, StringComparer.OrdinalIgnoreCase)
                .Where(static group => group.Count() > 1).SelectMany(static group => group)
                .FirstOrDefault(api => _changedApis.ContainsKey(api.Entry.VersionId)) is { } taken)
            {
                var version = taken.Entry.VersionId;
                _changedApis.Remove(version, out var change);
                _refused.Add(new(change!.Name, $"/apis/0/basePath: belongs to another API version that this gateway runs: {taken.Entry.BasePath}"));
                if (previous.Apis.TryGetValue(version, out var old))
                {
                    PutApi(version, old);
                    _shards.Remove(change.Name);
                }
                else
                {
                    RemoveApi(version);
                    _shards[change.Name] = null;
                }
            }
        }

        private Dictionary<Guid, CompiledApi> Own() => _apis ??= new(previous.Apis);
    }
}

/// <summary>A shard cannot be run; the message says why.</summary>
internal sealed class ShardException(string message) : Exception(message)
{
    private const int MostShown = 10;

    public static void ThrowIfAny(IReadOnlyList<SnapshotProblem> problems)
    {
        if (problems.Count > 0)
        {
            throw new ShardException(string.Join("; ", problems.Take(MostShown).Select(static problem => $"{problem.Pointer}: {problem.Message}")));
        }
    }
}
