namespace OpenPlatform.Catalog.Subscriptions;

/// <summary>What has become of a subscription. Only an active one lets calls through.</summary>
public enum SubscriptionState
{
    /// <summary>Waits for approval.</summary>
    Pending,

    /// <summary>Lets calls through.</summary>
    Active,

    /// <summary>Lets none through until it is resumed.</summary>
    Paused,

    /// <summary>Ended; the end.</summary>
    Cancelled,

    /// <summary>Was not approved; the end.</summary>
    Rejected,
}

/// <summary>What can be done with a subscription.</summary>
internal enum SubscriptionMove
{
    Approve,
    Reject,
    Pause,
    Resume,
    Cancel,
}

/// <summary>The moves a subscription can make. The database holds the same by a trigger, whoever writes.</summary>
internal static class SubscriptionMoves
{
    /// <summary>The state behind a move, or null when it cannot be made. A move that was made already leads to where it is.</summary>
    /// <param name="asksForPlan">A change of plan waits for approval: approving and rejecting are about that, and change no state.</param>
    public static SubscriptionState? After(SubscriptionState from, bool asksForPlan, SubscriptionMove move) => (from, move) switch
    {
        (SubscriptionState.Active or SubscriptionState.Paused, SubscriptionMove.Approve or SubscriptionMove.Reject) when asksForPlan => from,
        (SubscriptionState.Pending or SubscriptionState.Active, SubscriptionMove.Approve) => SubscriptionState.Active,
        (SubscriptionState.Pending or SubscriptionState.Rejected, SubscriptionMove.Reject) => SubscriptionState.Rejected,
        (SubscriptionState.Active or SubscriptionState.Paused, SubscriptionMove.Pause) => SubscriptionState.Paused,
        (SubscriptionState.Paused or SubscriptionState.Active, SubscriptionMove.Resume) => SubscriptionState.Active,
        (not SubscriptionState.Rejected, SubscriptionMove.Cancel) => SubscriptionState.Cancelled,
        _ => null,
    };
}
