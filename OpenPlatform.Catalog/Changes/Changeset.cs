using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using OpenPlatform.Catalog.Resources;

namespace OpenPlatform.Catalog.Changes;

/// <summary>A list of puts and deletes that is done as a whole or not at all.</summary>
/// <param name="Puts">By list (organizations, backends, plans, apis, applications): items as docs/snapshot-file.md writes them, names in place of ids.</param>
/// <param name="Deletes">By list: names, such as <c>orders</c> of backends, <c>orders/v1</c> of apis, <c>acme/shop</c> of applications.</param>
/// <param name="DryRun">True: checks everything and answers what would change, and changes nothing.</param>
public sealed record ChangesetRequest(JsonObject? Puts = null, IReadOnlyDictionary<string, IReadOnlyList<string?>?>? Deletes = null, bool DryRun = false)
{
    /// <summary>Most puts and deletes of one changeset.</summary>
    public const int MaxOperations = 10_000;
}

/// <summary>What happened to an item.</summary>
public enum ChangeAction
{
    Created,
    Changed,
    Unchanged,
    Deleted,
}

/// <param name="Kind">What it is, such as <c>backend</c>.</param>
/// <param name="Members">What changed in it, JSON pointers; only of a changed one.</param>
public sealed record ItemChange(
    string Kind, string Name, ChangeAction Action, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Members);

/// <summary>An application that calls what changes.</summary>
/// <param name="Application">Its name behind that of its organization: <c>acme/shop</c>.</param>
/// <param name="Subscriptions">The versions it is subscribed to, of those that change: <c>orders/v1</c>.</param>
public sealed record AffectedApplication(string Application, IReadOnlyList<string> Subscriptions);

/// <summary>What a changeset changed, or would change.</summary>
/// <param name="Actor">Who put it.</param>
/// <param name="DryRun">True: nothing was changed, and it cannot be read again under its id.</param>
/// <param name="Changes">Every item of the request.</param>
/// <param name="Breaking">Calls that worked before and will not any more.</param>
/// <param name="Affected">At most 1,000.</param>
public sealed record Changeset(
    Guid Id, DateTimeOffset CreatedAt, string Actor, bool DryRun, IReadOnlyList<ItemChange> Changes, IReadOnlyList<BreakingChange> Breaking,
    IReadOnlyList<AffectedApplication> Affected, [property: JsonIgnore] long Etag) : ICatalogResource
{
    internal int Count(ChangeAction action) => Changes.Count(change => change.Action == action);
}

/// <summary>A changeset in a list.</summary>
/// <param name="Created">How many items it created.</param>
/// <param name="Changed">How many it changed.</param>
/// <param name="Deleted">How many it deleted.</param>
public sealed record ChangesetSummary(Guid Id, DateTimeOffset CreatedAt, string Actor, int Created, int Changed, int Deleted) : ICatalogResource
{
    [JsonIgnore]
    public long Etag => 1;
}
