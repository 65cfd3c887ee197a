using OpenPlatform.Catalog.Problems;

namespace OpenPlatform.Catalog.Changes;

/// <summary>A change that makes calls fail which worked before.</summary>
/// <param name="Kind">List of the item, such as <c>apis</c>.</param>
/// <param name="Name">Its name.</param>
/// <param name="Pointer">Where in the item, a JSON pointer.</param>
/// <param name="Detail">What breaks.</param>
public sealed record BreakingChange(string Kind, string Name, string Pointer, string Detail);

/// <summary>What the kinds have to say while a changeset is written.</summary>
internal sealed class DeclaredReport
{
    private readonly List<ProblemError> _problems = [];
    private readonly List<BreakingChange> _breaking = [];
    private readonly Dictionary<Guid, string> _places = [];

    private readonly Dictionary<string, IReadOnlyDictionary<string, Guid>> _newIds = [];

    public IReadOnlyList<ProblemError> Problems => _problems;

    public IReadOnlyList<BreakingChange> BreakingChanges => _breaking;

    /// <param name="pointer">Into the request: the pointer of the item and where in it.</param>
    public void Problem(string pointer, string detail) => _problems.Add(new(pointer, detail));

    public void Breaking(BreakingChange change) => _breaking.Add(change);

    /// <summary>Says where in the request the thing stands that has this id in the snapshot, so that what only the whole snapshot shows is reported there.</summary>
    public void StandsAt(Guid id, string pointer) => _places[id] = pointer;

    /// <summary>Says which ids what is new in a list will have, so that what is put before it can name it.</summary>
    public void WillBe(string list, IReadOnlyDictionary<string, Guid> ids) => _newIds[list] = ids;

    /// <summary>By name.</summary>
    public IReadOnlyDictionary<string, Guid> NewIds(string list) => _newIds.TryGetValue(list, out var ids) ? ids : new Dictionary<string, Guid>();

    /// <summary>Null: not in the request.</summary>
    public string? PlaceOfOrNull(Guid id) => _places.GetValueOrDefault(id);
}
