using System.Text.Json.Nodes;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Changes;

/// <summary>What a changeset asks of one kind.</summary>
/// <param name="Puts">Without <see cref="DeclaredItem.Current"/>: nobody has looked yet.</param>
internal sealed record KindChanges(IDeclaredKind Kind, IReadOnlyList<DeclaredItem> Puts, IReadOnlyList<DeclaredName> Deletes)
{
    public IReadOnlyCollection<string> Names { get; } = [.. Puts.Select(static put => put.Name), .. Deletes.Select(static delete => delete.Name)];
}

/// <summary>Sorts a request by kind and finds what is wrong with it before anything is read.</summary>
internal static class ChangesetReader
{
    /// <summary>By order of the kinds; or 422 with every misplaced thing, or 403 when the caller may not write one of the kinds.</summary>
    public static Outcome<IReadOnlyList<KindChanges>> Read(ChangesetRequest request, IEnumerable<IDeclaredKind> kinds, Caller caller)
    {
        var check = new RequestCheck();
        var known = kinds.OrderBy(static kind => kind.Order).ToList();
        foreach (var (pointer, lists) in new[] { ("/puts", request.Puts?.Select(static list => list.Key)), ("/deletes", request.Deletes?.Keys) })
        {
            foreach (var list in (lists ?? []).Where(list => known.TrueForAll(kind => kind.List != list)))
            {
                check.Add($"{pointer}/{ProblemExceptionHandler.Escape(list)}", $"is no kind of resource; there are {string.Join(", ", known.Select(static kind => kind.List))}");
            }
        }

        var changes = new List<KindChanges>();
        foreach (var kind in known)
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            var puts = Puts(request, kind, names, check);
            var deletes = Deletes(request, kind, names, check);
            if (puts.Count + deletes.Count == 0)
            {
                continue;
            }

            if (!caller.May(kind.Write))
            {
                return CatalogProblem.Forbidden(kind.Write);
            }

            changes.Add(new(kind, puts, deletes));
        }

        if (changes.Sum(static change => change.Puts.Count + change.Deletes.Count) > ChangesetRequest.MaxOperations)
        {
            check.Add("", $"must be at most {ChangesetRequest.MaxOperations} puts and deletes");
        }

        return check.Problem is { } problem ? problem : changes;
    }

    private static List<DeclaredItem> Puts(ChangesetRequest request, IDeclaredKind kind, HashSet<string> names, RequestCheck check)
    {
        var puts = new List<DeclaredItem>();
        if (request.Puts?[kind.List] is not { } list)
        {
            return puts;
        }

        if (list is not JsonArray items)
        {
            check.Add($"/puts/{kind.List}", "must be a list");
            return puts;
        }

        for (var i = 0; i < items.Count; i++)
        {
            var pointer = $"/puts/{kind.List}/{i}";
            if (items[i] is not JsonObject body)
            {
                check.Add(pointer, "must be an object");
            }
            else if (kind.NameOf(body) is not { } name)
            {
                check.Add(pointer, "lacks the text that names it");
            }
            else if (!names.Add(name))
            {
                check.Add(pointer, $"stands here twice: {name}");
            }
            else
            {
                puts.Add(new(name, body, pointer, null));
            }
        }

        return puts;
    }

    private static List<DeclaredName> Deletes(ChangesetRequest request, IDeclaredKind kind, HashSet<string> names, RequestCheck check)
    {
        var deletes = new List<DeclaredName>();
        var list = request.Deletes?.GetValueOrDefault(kind.List) ?? [];
        for (var i = 0; i < list.Count; i++)
        {
            var pointer = $"/deletes/{kind.List}/{i}";
            if (list[i] is not { Length: > 0 } name)
            {
                check.Add(pointer, "must be a name");
            }
            else if (!names.Add(name))
            {
                check.Add(pointer, $"stands here twice: {name}");
            }
            else
            {
                deletes.Add(new(name, pointer));
            }
        }

        return deletes;
    }
}
