using Dapper;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>Moves a version to the state that a changeset declares, by the same moves that the verbs make.</summary>
internal static class DeclaredLifecycle
{
    /// <summary>Says that it ends, where it is declared deprecated or retired.</summary>
    public static async Task<CatalogProblem?> DeprecateAsync(ConfigChange change, Guid apiId, Guid versionId, DeclaredVersion declared)
    {
        var now = await ApiStore.VersionAsync(change, versionId);
        var end = declared.Lifecycle ?? new(LifecycleStates.Published);
        if (end.State is not { } state || !LifecycleStates.All.Contains(state))
        {
            return Invalid("/lifecycle/state", $"must be one of {string.Join(", ", LifecycleStates.All)}");
        }

        var current = now.State.ToString().ToLowerInvariant();
        if (state == LifecycleStates.Published)
        {
            return now.State == VersionState.Published ? null : Invalid("/lifecycle/state", $"a version that is {current} cannot become published again");
        }

        if (now.State == VersionState.Retired)
        {
            return state == LifecycleStates.Retired ? null : Invalid("/lifecycle/state", "a version that is retired stays so");
        }

        Guid? successor = end.Successor is null ? null : await change.Connection.ExecuteScalarAsync<Guid?>(change.Sql(
            "select id from api_versions where lower(base_path) = lower(@Successor) and api_id = @apiId and id <> @Id", new { end.Successor, apiId, now.Id }));
        if (end.Successor is not null && successor is null)
        {
            return Invalid("/lifecycle/successor", $"is the base path of no other version of this API: {end.Successor}");
        }

        var request = new DeprecateRequest(end.DeprecatedAt, end.SunsetAt, successor, end.Documentation);
        if (now.Lifecycle is not { } said || (said.SunsetAt, said.SuccessorId, said.Documentation) != (end.SunsetAt, successor, end.Documentation)
            || (end.DeprecatedAt is not null && end.DeprecatedAt != said.DeprecatedAt))
        {
            if (await MoveAsync(change, apiId, () => LifecycleStore.DeprecateAsync(change, apiId, now.Id, request)) is { } problem)
            {
                return problem with { Errors = [.. problem.Errors.Select(static error => error with { Pointer = "/lifecycle" + error.Pointer })] };
            }
        }

        return null;
    }

    /// <summary>Ends it; it is deprecated by now.</summary>
    public static async Task<CatalogProblem?> RetireAsync(ConfigChange change, Guid apiId, Guid versionId) =>
        (await ApiStore.VersionAsync(change, versionId)).State == VersionState.Retired ? null : await MoveAsync(change, apiId, () => LifecycleStore.RetireAsync(change, apiId, versionId));

    /// <summary>Versions take part in the ETag of their API, whichever way they change.</summary>
    private static async Task<CatalogProblem?> MoveAsync(ConfigChange change, Guid apiId, Func<Task<CatalogProblem?>> move) =>
        await ApiStore.TouchAsync(change, apiId, IfMatch.Any) ?? await move();

    /// <summary>Stops it, or ends the stop.</summary>
    public static async Task<CatalogProblem?> PutBlockAsync(ConfigChange change, Guid apiId, Guid versionId, DeclaredVersion declared)
    {
        var (now, block) = (await ApiStore.VersionAsync(change, versionId), declared.Blocked);
        if (now.Blocked is { } there && block is not null && (there.Reason, there.Until) == (block.Reason, block.Until))
        {
            return null;
        }

        var mayBlock = change.Caller.May(Permission.Operate) || change.Caller == Caller.System;
        if (block is null || block.Until <= change.Now)
        {
            // Who may not block leaves out what it may not touch: the next deployment is no end of an emergency.
            return now.Blocked is null || !mayBlock ? null : await MoveAsync(change, apiId, () => LifecycleStore.UnblockAsync(change, apiId, now.Id));
        }

        if (!mayBlock)
        {
            return Invalid("/blocked", $"needs the permission {Permission.Operate}; docs/roles.md says which roles have it");
        }

        var request = new BlockRequest(block.Reason, block.Until);
        return (request.Check(change.Now) ?? await MoveAsync(change, apiId, () => LifecycleStore.BlockAsync(change, apiId, now.Id, request))) is { } problem
            ? problem with { Errors = [.. problem.Errors.Select(static error => error with { Pointer = "/blocked" + error.Pointer })] }
            : null;
    }

    private static CatalogProblem Invalid(string pointer, string detail) => CatalogProblem.Invalid(new ProblemError(pointer, detail));
}
