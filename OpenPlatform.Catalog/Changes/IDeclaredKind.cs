using System.Text.Json.Nodes;
using Npgsql;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Changes;

/// <summary>
/// One kind of resource in the declarative form of docs/snapshot-file.md: names in place of ids. Lives in the folder of the kind and is
/// registered as <c>AddSingleton&lt;IDeclaredKind, …&gt;()</c>.
/// </summary>
/// <remarks>
/// A changeset reads what its items are now, puts those that differ, reads them again, and answers the difference. So a kind says
/// nothing about what it changed, and what is read must be what is put: putting back what was read changes nothing.
/// </remarks>
internal interface IDeclaredKind
{
    /// <summary>Its list in the document, such as <c>backends</c>.</summary>
    string List { get; }

    /// <summary>Puts run upwards, deletes downwards: what others name comes first. organizations 10, backends 20, apis 40, plans 45, applications 50.</summary>
    int Order { get; }

    /// <summary>What a caller needs to put and delete items of this kind.</summary>
    Permission Write { get; }

    /// <summary>The name of an item among its kind, such as <c>orders</c>, <c>orders/v1</c>, <c>acme/shop</c>; null when what makes it up is absent or no text.</summary>
    string? NameOf(JsonObject item);

    /// <summary>The items as they are now, by name; never a secret. Names that nothing has are left out.</summary>
    /// <param name="names">Only these; null: all.</param>
    Task<IReadOnlyDictionary<string, JsonObject>> ReadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyCollection<string>? names, CancellationToken cancellationToken);

    /// <summary>Makes each item what its body says, new or not. A member that is absent gets its default. A thousand of them at once are normal.</summary>
    Task PutAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report);

    /// <summary>What could only be done once the items of all kinds are there, such as to retire what others were to begin with before.</summary>
    Task FinishAsync(ConfigChange change, IReadOnlyList<DeclaredItem> items, DeclaredReport report) => Task.CompletedTask;

    /// <summary>Deletes (or ends, where history must stay) what has these names; all of them exist. What is still needed by others is a problem.</summary>
    Task DeleteAsync(ConfigChange change, IReadOnlyList<DeclaredName> names, DeclaredReport report);
}

/// <param name="Pointer">Where it stands in the request, for problems: <c>/puts/backends/3</c>.</param>
/// <param name="Current">As it is now; null: new.</param>
internal sealed record DeclaredItem(string Name, JsonObject Body, string Pointer, JsonObject? Current);

/// <param name="Pointer">Where it stands in the request, for problems: <c>/deletes/backends/0</c>.</param>
internal sealed record DeclaredName(string Name, string Pointer);
