namespace OpenPlatform.Catalog.Security;

/// <summary>What an endpoint of the admin API needs. Who has it: <see cref="RoleMatrix"/>.</summary>
public enum Permission
{
    /// <summary>Seeing and changing what is one's own: who am I, my password.</summary>
    UseSelf,

    ReadApis,

    /// <summary>Publish, deprecate, retire.</summary>
    WriteApis,

    ReadBackends,
    WriteBackends,
    ReadPlans,
    WritePlans,

    /// <summary>A developer: its own.</summary>
    ReadOrganizations,
    WriteOrganizations,

    /// <summary>A developer: those of its organization; so in all that follow which a developer has.</summary>
    ReadApplications,
    WriteApplications,

    /// <summary>Suspend an application and resume it.</summary>
    SuspendApplications,

    /// <summary>Never their secrets.</summary>
    ReadCredentials,

    /// <summary>Issue and rotate.</summary>
    IssueCredentials,
    RevokeCredentials,
    ReadSubscriptions,

    /// <summary>Subscribe, change the plan, cancel.</summary>
    WriteSubscriptions,

    /// <summary>Approve and reject.</summary>
    DecideSubscriptions,

    /// <summary>Pause and resume.</summary>
    PauseSubscriptions,
    ReadUsage,

    /// <summary>Revisions, gateways, instances, changesets, the export: how it is configured and how that travels.</summary>
    ReadConfiguration,

    /// <summary>Changesets and a dry run of them; each kind inside needs its own permission as well.</summary>
    ApplyChangesets,

    /// <summary>Block and unblock, roll back, drain, rotate signing keys, replay jobs.</summary>
    Operate,
    ReadWebhooks,
    WriteWebhooks,
    ReadAudit,

    /// <summary>Tokens and accounts, never their secrets.</summary>
    ReadAccess,
    WriteAccess,
}
