using System.Collections.Frozen;

namespace OpenPlatform.Catalog.Security;

/// <summary>Who may do what: the one table behind every endpoint. <c>docs/roles.md</c> shows the same, and a test compares the two.</summary>
internal static class RoleMatrix
{
    private static readonly FrozenDictionary<Permission, FrozenSet<Role>> Holders = new (Permission Permission, Role[] Roles)[]
    {
        (Permission.UseSelf, Enum.GetValues<Role>()),
        (Permission.ReadApis, Enum.GetValues<Role>()),
        (Permission.WriteApis, [Role.Owner, Role.Publisher]),
        (Permission.ReadBackends, [Role.Owner, Role.Publisher, Role.PlanManager, Role.Approver, Role.Operator, Role.Auditor]),
        (Permission.WriteBackends, [Role.Owner, Role.Publisher]),
        (Permission.ReadPlans, Enum.GetValues<Role>()),
        (Permission.WritePlans, [Role.Owner, Role.PlanManager]),
        (Permission.ReadOrganizations, Enum.GetValues<Role>()),
        (Permission.WriteOrganizations, [Role.Owner, Role.Approver]),
        (Permission.ReadApplications, Enum.GetValues<Role>()),
        (Permission.WriteApplications, [Role.Owner, Role.Approver, Role.Developer]),
        (Permission.SuspendApplications, [Role.Owner, Role.Approver, Role.Operator]),
        (Permission.ReadCredentials, [Role.Owner, Role.Approver, Role.Operator, Role.Auditor, Role.Developer]),
        (Permission.IssueCredentials, [Role.Owner, Role.Approver, Role.Developer]),
        (Permission.RevokeCredentials, [Role.Owner, Role.Approver, Role.Operator, Role.Developer]),
        (Permission.ReadSubscriptions, Enum.GetValues<Role>()),
        (Permission.WriteSubscriptions, [Role.Owner, Role.Approver, Role.Developer]),
        (Permission.DecideSubscriptions, [Role.Owner, Role.Approver]),
        (Permission.PauseSubscriptions, [Role.Owner, Role.Approver, Role.Operator]),
        (Permission.ReadUsage, Enum.GetValues<Role>()),
        (Permission.ReadConfiguration, [Role.Owner, Role.Publisher, Role.PlanManager, Role.Approver, Role.Operator, Role.Auditor]),
        (Permission.ApplyChangesets, [Role.Owner, Role.Publisher, Role.PlanManager, Role.Approver]),
        (Permission.Operate, [Role.Owner, Role.Operator]),
        (Permission.ReadWebhooks, [Role.Owner, Role.Operator, Role.Auditor]),
        (Permission.WriteWebhooks, [Role.Owner, Role.Operator]),
        (Permission.ReadAudit, [Role.Owner, Role.Auditor]),
        (Permission.ReadAccess, [Role.Owner, Role.Auditor]),
        (Permission.WriteAccess, [Role.Owner]),
    }.ToFrozenDictionary(static row => row.Permission, static row => row.Roles.ToFrozenSet());

    /// <summary>Whether one of <paramref name="roles"/> has <paramref name="permission"/>; what is not in the table, nobody has.</summary>
    public static bool Allows(IReadOnlyList<Role> roles, Permission permission)
    {
        if (Holders.TryGetValue(permission, out var holders))
        {
            for (var i = 0; i < roles.Count; i++)
            {
                if (holders.Contains(roles[i]))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
