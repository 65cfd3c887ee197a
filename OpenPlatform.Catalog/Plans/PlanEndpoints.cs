using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Plans;

internal static class PlanEndpoints
{
    public static void MapPlans(this IEndpointRouteBuilder admin)
    {
        var plans = admin.MapGroup("/plans").WithTags("Plans");
        plans.MapPost("/", Create).Needs(Permission.WritePlans).Creates<Plan>("CreatePlan", "Puts limits on offer, or drafts them.");
        plans.MapGet("/", List).Needs(Permission.ReadPlans).Lists<Plan>("ListPlans", "Plans, oldest first.");
        plans.MapById<PlanStore, Plan>("plan", static (plans, id, caller, _) => VisibleOrNullAsync(id, caller, plans))
            .Needs(Permission.ReadPlans).Reads<Plan>("GetPlan", "One plan in the revision that is in force.");
        plans.MapGet("/{id:guid}/revisions", Revisions).Needs(Permission.ReadPlans).Lists<PlanRevision>("ListPlanRevisions", "Its revisions, the newest first.");
        plans.MapPatch("/{id:guid}", Patch).Needs(Permission.WritePlans).Patches<ChangedPlan, PlanRequest>("ChangePlan", "Changes a plan. Other terms are a new revision, in force for all of its subscriptions at once; the answer lists them.");
        plans.MapDelete("/{id:guid}", Delete).Needs(Permission.WritePlans).Deletes("DeletePlan", "Deletes a plan that nobody ever subscribed under.");
        plans.MapPost("/{id:guid}:publish", Publish).Needs(Permission.WritePlans).Changes<Plan>("PublishPlan", "Puts a draft on offer.");
        plans.MapPost("/{id:guid}:retire", Retire).Needs(Permission.WritePlans).Changes<Plan>("RetirePlan", "Takes a plan off offer; those who have it keep it.");
    }

    private static async Task<IResult> Create(PlanRequest request, ConfigChanges changes, CancellationToken cancellationToken)
    {
        if (request.Check() is { } problem)
        {
            return problem;
        }

        return request.State == PlanState.Retired
            ? CatalogProblem.Invalid(new ProblemError("/state", "must be draft or published"))
            : ResourceAnswers.Created("/admin/v1/plans", await changes.ApplyAsync(change => PlanStore.InsertAsync(change, request), cancellationToken));
    }

    private static Task<IResult> List([AsParameters] PageQuery page, Caller caller, PlanStore plans, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => plans.ListAsync(start, SeesDrafts(caller), cancellationToken));

    private static Task<IResult> Revisions(Guid id, [AsParameters] PageQuery page, Caller caller, PlanStore plans, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListByNumberAsync(context, page, int.MaxValue,
            async (before, fetch) => SeesDrafts(caller) || await VisibleOrNullAsync(id, caller, plans) is not null ? await plans.RevisionsOrNullAsync(id, before, fetch, cancellationToken) : null,
            static revision => revision.Revision, CatalogProblem.NotFound("plan", id));

    private static async Task<Plan?> VisibleOrNullAsync(Guid id, Caller caller, PlanStore plans) =>
        await plans.FindOrNullAsync(id) is { } plan && (plan.State != PlanState.Draft || SeesDrafts(caller)) ? plan : null;

    /// <summary>What is not on offer yet is no partner's business.</summary>
    private static bool SeesDrafts(Caller caller) => caller.OrganizationId is null;

    private static async Task<IResult> Patch(Guid id, MergePatch patch, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => PlanStore.PatchAsync(change, id, patch, ifMatch), cancellationToken));

    private static async Task<IResult> Delete(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await changes.ApplyAsync(change => PlanStore.DeleteAsync(change, id, ifMatch), cancellationToken));

    private static Task<IResult> Publish(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        MoveAsync(id, PlanState.Published, ifMatch, changes, cancellationToken);

    private static Task<IResult> Retire(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        MoveAsync(id, PlanState.Retired, ifMatch, changes, cancellationToken);

    private static async Task<IResult> MoveAsync(Guid id, PlanState to, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => PlanStore.MoveAsync(change, id, to, ifMatch), cancellationToken));
}
