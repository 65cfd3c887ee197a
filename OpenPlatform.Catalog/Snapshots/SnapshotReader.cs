using OpenPlatform.Catalog.Snapshots.Readers;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Snapshots;

/// <summary>
/// Reads what gateways run from the rows, one reader for each kind of shard, ordered by id, so that equal content has equal bytes. Whoever adds
/// a column or table to the snapshot extends the reader of its shard and, in a migration, attaches <c>note_shard</c> to the table.
/// </summary>
internal static class SnapshotReader
{
    /// <summary>The selected parts as the transaction of <paramref name="change"/> sees them, with revision 0.</summary>
    public static async Task<Snapshot> ReadAsync(ConfigChange change, ShardSelection selection)
    {
        var snapshot = Snapshot.Empty;
        if (selection.Core)
        {
            snapshot = await CoreReader.ReadAsync(change, snapshot);
        }

        if (selection.Backends is not [])
        {
            snapshot = await BackendReader.ReadAsync(change, snapshot, selection.Backends);
        }

        if (selection.Plans is not [])
        {
            snapshot = await PlanReader.ReadAsync(change, snapshot, selection.Plans);
        }

        if (selection.Versions is not [])
        {
            snapshot = await ApiReader.ReadAsync(change, snapshot, selection.Versions);
        }

        if (selection.Applications is not [])
        {
            snapshot = await ApplicationReader.ReadAsync(change, snapshot, selection.Applications);
        }

        return selection.Credentials is [] ? snapshot : await CredentialReader.ReadAsync(change, snapshot, selection.Credentials);
    }
}
