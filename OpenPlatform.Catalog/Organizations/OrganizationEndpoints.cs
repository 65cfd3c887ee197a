using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Organizations;

internal static class OrganizationEndpoints
{
    public static void MapOrganizations(this IEndpointRouteBuilder admin)
    {
        var organizations = admin.MapGroup("/organizations").WithTags("Organizations");
        organizations.MapPost("/", Create).Needs(Permission.WriteOrganizations).Creates<Organization>("CreateOrganization", "Registers a partner.");
        organizations.MapGet("/", List).Needs(Permission.ReadOrganizations).Lists<Organization>("ListOrganizations", "Organizations, oldest first.");
        organizations.MapById<OrganizationStore, Organization>("organization", static (organizations, id, caller, _) => organizations.FindOrNullAsync(caller, id))
            .Needs(Permission.ReadOrganizations).Reads<Organization>("GetOrganization", "One organization.");
        organizations.MapPatch("/{id:guid}", Patch).Needs(Permission.WriteOrganizations).Patches<Organization, OrganizationRequest>("PatchOrganization", "Changes an organization.");
        organizations.MapDelete("/{id:guid}", Delete).Needs(Permission.WriteOrganizations).Deletes("DeleteOrganization", "Deletes an organization that has no applications.");
    }

    private static async Task<IResult> Create(OrganizationRequest request, ConfigChanges changes, CancellationToken cancellationToken) =>
        request.Check() ?? ResourceAnswers.Created("/admin/v1/organizations",
            await changes.ApplyAsync(change => OrganizationStore.InsertAsync(change, request), cancellationToken));

    private static Task<IResult> List([AsParameters] PageQuery page, Caller caller, OrganizationStore organizations, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => organizations.ListAsync(caller, start, cancellationToken));

    private static async Task<IResult> Patch(Guid id, MergePatch patch, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => OrganizationStore.PatchAsync(change, id, patch, ifMatch), cancellationToken));

    private static async Task<IResult> Delete(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await changes.ApplyAsync(change => OrganizationStore.DeleteAsync(change, id, ifMatch), cancellationToken));
}
