namespace OpenPlatform.Catalog.Security;

/// <summary>What somebody is in the admin API. What each may do: <see cref="RoleMatrix"/>.</summary>
public enum Role
{
    /// <summary>Everything, and alone: who may come in.</summary>
    Owner,

    /// <summary>Publishes APIs and the backends behind them.</summary>
    Publisher,

    /// <summary>Puts plans on offer.</summary>
    PlanManager,

    /// <summary>Registers partners and decides about their subscriptions.</summary>
    Approver,

    /// <summary>Keeps it running: blocks, suspends, revokes, rolls back, drains.</summary>
    Operator,

    /// <summary>Reads everything, changes nothing.</summary>
    Auditor,

    /// <summary>A partner: its own organization and nothing of any other.</summary>
    Developer,
}
