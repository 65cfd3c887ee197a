using System.Text.Json.Nodes;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Changes;

/// <summary>Applies a changeset: reads what its items are, puts those that differ, deletes, reads again, and answers the difference. One write, so all or nothing.</summary>
internal sealed class Changesets(ConfigChanges changes, IEnumerable<IDeclaredKind> kinds)
{
    /// <summary>What was changed or would be, or the problem with its place in the request.</summary>
    public async Task<Outcome<Changeset>> ApplyAsync(ChangesetRequest request, Security.Caller caller, CancellationToken cancellationToken)
    {
        var asked = ChangesetReader.Read(request, kinds, caller);
        return asked.Problem is { } problem
            ? problem
            : await changes.ApplyAsync(change => WriteAsync(change, asked.Value, request.DryRun), cancellationToken);
    }

    private static async Task<Outcome<Changeset>> WriteAsync(ConfigChange change, IReadOnlyList<KindChanges> asked, bool dryRun)
    {
        var report = new DeclaredReport();
        change.IsDryRun = dryRun;
        change.PointerOf = (snapshot, pointer) => PointerOf(snapshot, pointer, report);

        // 1. What is there.
        var before = new Dictionary<IDeclaredKind, IReadOnlyDictionary<string, JsonObject>>();
        foreach (var kind in asked)
        {
            before[kind.Kind] = await ReadAsync(change, kind);
            foreach (var delete in kind.Deletes.Where(delete => !before[kind.Kind].ContainsKey(delete.Name)))
            {
                report.Problem(delete.Pointer, $"there is no {Singular(kind.Kind)} {delete.Name}");
            }

            string[] added = [.. kind.Puts.Select(static put => put.Name).Where(name => !before[kind.Kind].ContainsKey(name))];
            report.WillBe(kind.Kind.List, added.Zip(NewIds.Of(added.Length, change.Now)).ToDictionary(static pair => pair.First, static pair => pair.Second, StringComparer.Ordinal));
        }

        // 2. Whom it concerns, as long as everything is still there.
        var affected = await AffectedApplications.ReadAsync(change, asked, before);

        // 3. The puts upwards, the deletes downwards. What follows a problem would only be a consequence of it.
        var puts = asked.Select(kind => (kind.Kind, Items: kind.Puts.Select(put => put with { Current = before[kind.Kind].GetValueOrDefault(put.Name) })
            .Where(static put => !JsonNode.DeepEquals(put.Current, put.Body)).ToList())).Where(static put => put.Items.Count > 0).ToList();
        foreach (var (kind, items) in puts.TakeWhile(_ => report.Problems.Count == 0))
        {
            await kind.PutAsync(change, items, report);
        }

        foreach (var (kind, items) in puts.TakeWhile(_ => report.Problems.Count == 0))
        {
            await kind.FinishAsync(change, items, report);
        }

        foreach (var kind in asked.Reverse().Where(static kind => kind.Deletes.Count > 0).TakeWhile(_ => report.Problems.Count == 0))
        {
            await kind.Kind.DeleteAsync(change, kind.Deletes, report);
        }

        if (report.Problems.Count > 0)
        {
            return CatalogProblem.Invalid(report.Problems);
        }

        // 4. What is different now.
        var differences = new List<ItemChange>();
        foreach (var kind in asked)
        {
            var after = await ReadAsync(change, kind);
            differences.AddRange(kind.Names.Select(name =>
                DeclaredDiff.Between(Singular(kind.Kind), name, before[kind.Kind].GetValueOrDefault(name), after.GetValueOrDefault(name))));
        }

        var changeset = new Changeset(Guid.CreateVersion7(change.Now), change.Now, change.Actor, dryRun, differences, report.BreakingChanges, affected, 1);
        await ChangesetStore.InsertAsync(change, changeset);
        return changeset;
    }

    private static Task<IReadOnlyDictionary<string, JsonObject>> ReadAsync(ConfigChange change, KindChanges kind) =>
        kind.Kind.ReadAsync(change.Connection, change.Transaction, kind.Names, change.CancellationToken);

    /// <summary><c>backends</c> is a list of what is a backend each.</summary>
    internal static string Singular(IDeclaredKind kind) => kind.List[..^1];

    /// <summary>What only the whole snapshot shows is about the item that has the id at the pointer.</summary>
    private static string? PointerOf(Snapshot snapshot, string pointer, DeclaredReport report)
    {
        if (pointer.Split('/', 4) is not ["", var list, var position, .. var rest] || !int.TryParse(position, out var index))
        {
            return null;
        }

        Guid? id = list switch
        {
            "apis" => snapshot.Apis[index].VersionId,
            "backends" => snapshot.Backends[index].BackendId,
            "plans" => snapshot.Plans[index].PlanId,
            "applications" => snapshot.Applications[index].ApplicationId,
            "subscriptions" => snapshot.Subscriptions[index].SubscriptionId,
            "credentials" => snapshot.Credentials[index].CredentialId,
            _ => null,
        };
        return id is { } known && report.PlaceOfOrNull(known) is { } place ? string.Join('/', [place, .. rest]) : null;
    }
}
