using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Plans;

internal static class PlanEndpoints
{
    public static void MapPlans(this IEndpointRouteBuilder admin)
    {
        var plans = admin.MapGroup("/plans").WithTags("Plans");
        plans.MapPost("/", Create).Needs(Permission.WritePlans).Creates<Plan>("CreatePlan", "Puts limits on offer.");
        plans.MapGet("/", List).Needs(Permission.ReadPlans).Lists<Plan>("ListPlans", "Plans, oldest first.");
        plans.MapGet("/{id:guid}", Get).Needs(Permission.ReadPlans).Reads<Plan>("GetPlan", "One plan.");
    }

    private static async Task<IResult> Create(PlanRequest request, ConfigChanges changes, CancellationToken cancellationToken) =>
        request.Check() ?? ResourceAnswers.Created("/admin/v1/plans",
            await changes.ApplyAsync(change => PlanStore.InsertAsync(change, request), cancellationToken));

    private static Task<IResult> List([AsParameters] PageQuery page, PlanStore plans, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => plans.ListAsync(start, cancellationToken));

    private static async Task<IResult> Get(Guid id, PlanStore plans, CancellationToken cancellationToken) =>
        ResourceAnswers.Found(await plans.FindOrNullAsync(id, cancellationToken), "plan", id);
}
