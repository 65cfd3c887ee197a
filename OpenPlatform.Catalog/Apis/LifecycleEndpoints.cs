using System.Buffers.Text;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Apis;

internal static class LifecycleEndpoints
{
    private const string Version = "/{id:guid}/versions/{versionId:guid}";

    public static void MapLifecycle(this IEndpointRouteBuilder apis)
    {
        apis.MapPost(Version + ":publish", Publish).Needs(Permission.WriteApis)
            .Changes<ApiVersion>("PublishDraft", "Puts the draft into force; refused when it breaks callers of the revision before.");
        apis.MapPost(Version + ":rollback", Rollback).Needs(Permission.Operate)
            .Changes<ApiVersion>("RollBackVersion", "Puts an earlier published revision into force again, and says what that breaks.");
        apis.MapPost(Version + ":deprecate", Deprecate).Needs(Permission.WriteApis).Changes<ApiVersion>("DeprecateVersion", "Tells callers on every answer that the version will end.");
        apis.MapPost(Version + ":retire", Retire).Needs(Permission.WriteApis).Changes<ApiVersion>("RetireVersion", "Ends a deprecated version: it answers 410 from now on.");
        apis.MapPost(Version + ":block", Block).Needs(Permission.Operate).Changes<ApiVersion>("BlockVersion", "Refuses every call of the version at once, until an instant or until it is unblocked.");
        apis.MapPost(Version + ":unblock", Unblock).Needs(Permission.Operate).Changes<ApiVersion>("UnblockVersion", "Lets calls of a blocked version through again.");
        apis.MapGet(Version + "/callers", Callers).Needs(Permission.ReadUsage)
            .Lists<VersionCaller>("ListCallers", "Applications that called the version in the last 30 days.");
    }

    private static Task<IResult> Publish(Guid id, Guid versionId, PublishRequest? request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        AnswerAsync(id, versionId, ifMatch, changes, change => RevisionStore.PublishAsync(change, id, versionId, request?.Revision), cancellationToken);

    private static async Task<IResult> Rollback(Guid id, Guid versionId, RollbackRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        request.Check() ?? await AnswerAsync(id, versionId, ifMatch, changes, change => RevisionStore.RollbackAsync(change, id, versionId, request.Revision!.Value), cancellationToken);

    private static Task<IResult> Deprecate(Guid id, Guid versionId, DeprecateRequest? request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        AnswerAsync(id, versionId, ifMatch, changes, async change => (await LifecycleStore.DeprecateAsync(change, id, versionId, request ?? new()), null), cancellationToken);

    private static Task<IResult> Retire(Guid id, Guid versionId, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        AnswerAsync(id, versionId, ifMatch, changes, async change => (await LifecycleStore.RetireAsync(change, id, versionId), null), cancellationToken);

    private static Task<IResult> Block(Guid id, Guid versionId, BlockRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        AnswerAsync(id, versionId, ifMatch, changes, async change => (request.Check(change.Now) ?? await LifecycleStore.BlockAsync(change, id, versionId, request), null), cancellationToken);

    private static Task<IResult> Unblock(Guid id, Guid versionId, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        AnswerAsync(id, versionId, ifMatch, changes, async change => (await LifecycleStore.UnblockAsync(change, id, versionId), null), cancellationToken);

    private static async Task<IResult> Callers(
        Guid id, Guid versionId, [AsParameters] PageQuery page, Caller caller, LifecycleStore versions, TimeProvider time, HttpContext context, CancellationToken cancellationToken)
    {
        var start = page.Start();
        if (start.Problem is not null)
        {
            return start.Problem;
        }

        if (await versions.CallersAsync(id, versionId, caller.OrganizationId, time.GetUtcNow(), start.Value, cancellationToken) is not { } callers)
        {
            return CatalogProblem.NotFound("API version", versionId);
        }

        if (callers.Count > start.Value.Limit)
        {
            PageAnswers.AddNextLink(context, Base64Url.EncodeToString(callers[start.Value.Limit - 1].ApplicationId.ToByteArray(bigEndian: true)));
        }

        return TypedResults.Ok(new Page<VersionCaller>([.. callers.Take(start.Value.Limit)]));
    }

    private static async Task<IResult> AnswerAsync(
        Guid id, Guid versionId, IfMatch ifMatch, ConfigChanges changes,
        Func<ConfigChange, Task<(CatalogProblem? Problem, IReadOnlyList<RevisionChange>? Changes)>> move, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync<ApiVersion>(async change =>
        {
            if (await ApiStore.TouchAsync(change, id, ifMatch) is { } refused)
            {
                return refused;
            }

            var (problem, found) = await move(change);
            return problem is not null ? problem : await ApiStore.VersionAsync(change, versionId) with { Changes = found };
        }, cancellationToken));
}
