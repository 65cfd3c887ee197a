using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Gateway.Support;

/// <summary>The small snapshot with more in it.</summary>
internal static class PolicySnapshots
{
    public static readonly Guid OtherBackendId = Guid.Parse("c0000000-0000-0000-0000-000000000001");
    public static readonly Guid TopPlanId = Guid.Parse("c0000000-0000-0000-0000-000000000002");

    /// <summary>The second application; in the small snapshot it has no subscription.</summary>
    public static Guid Stranger(this Snapshot snapshot) => snapshot.Applications[1].ApplicationId;

    public static Snapshot WithPolicies(this Snapshot snapshot, ApiPolicies policies) =>
        snapshot with { Apis = [snapshot.Apis[0] with { Policies = policies }, .. snapshot.Apis.Skip(1)] };

    public static Snapshot WithOperation(this Snapshot snapshot, string operationId, OperationPolicies policies) => snapshot with
    {
        Apis =
        [
            snapshot.Apis[0] with { Operations = [.. snapshot.Apis[0].Operations.Select(o => o.OperationId == operationId ? o with { Policies = policies } : o)] },
            .. snapshot.Apis.Skip(1),
        ],
    };

    public static Snapshot WithOtherBackend(this Snapshot snapshot, params Uri[] addresses) =>
        snapshot with { Backends = [.. snapshot.Backends, new(OtherBackendId, "other", null, addresses)] };

    /// <summary>The second application subscribes too, under a plan of its own.</summary>
    public static Snapshot WithStrangerSubscribed(this Snapshot snapshot, int? priority = null) => snapshot with
    {
        Plans = [.. snapshot.Plans, new PlanModel(TopPlanId, "top", []) { Priority = priority }],
        Subscriptions = [.. snapshot.Subscriptions, new(Guid.Parse("c0000000-0000-0000-0000-000000000003"), snapshot.Stranger(), TestSnapshot.VersionId, TopPlanId)],
    };
}
