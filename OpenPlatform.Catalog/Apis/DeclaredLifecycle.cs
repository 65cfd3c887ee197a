using Dapper;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Apis;

/// <summary>Moves a version to the state that a changeset declares, by the same moves that the verbs make.</summary>
internal static class DeclaredLifecycle
{
    public static async Task<CatalogProblem?> PutAsync(ConfigChange change, Guid apiId, Guid versionId, DeclaredEnd? end, DeclaredBlock? block)
    {
        var now = await ApiStore.VersionAsync(change, versionId);
        return await PutStateAsync(change, apiId, now, end ?? new(LifecycleStates.Published)) ?? await PutBlockAsync(change, apiId, now, block);
    }

    private static async Task<CatalogProblem?> PutStateAsync(ConfigChange change, Guid apiId, ApiVersion now, DeclaredEnd end)
    {
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
            if ((request.Check(change.Now) ?? await LifecycleStore.DeprecateAsync(change, apiId, now.Id, request)) is { } problem)
            {
                return problem with { Errors = [.. problem.Errors.Select(static error => error with { Pointer = "/lifecycle" + error.Pointer })] };
            }
        }

        return state == LifecycleStates.Retired ? await LifecycleStore.RetireAsync(change, apiId, now.Id) : null;
    }

    private static async Task<CatalogProblem?> PutBlockAsync(ConfigChange change, Guid apiId, ApiVersion now, DeclaredBlock? block)
    {
        if (block is null)
        {
            return now.Blocked is null ? null : await LifecycleStore.UnblockAsync(change, apiId, now.Id);
        }

        if (now.Blocked is { } there && (there.Reason, there.Until) == (block.Reason, block.Until))
        {
            return null;
        }

        var request = new BlockRequest(block.Reason, block.Until);
        return (request.Check(change.Now) ?? await LifecycleStore.BlockAsync(change, apiId, now.Id, request)) is { } problem
            ? problem with { Errors = [.. problem.Errors.Select(static error => error with { Pointer = "/blocked" + error.Pointer })] }
            : null;
    }

    private static CatalogProblem Invalid(string pointer, string detail) => CatalogProblem.Invalid(new ProblemError(pointer, detail));
}
