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
        organizations.MapGet("/{id:guid}", Get).Needs(Permission.ReadOrganizations).Reads<Organization>("GetOrganization", "One organization.");
    }

    private static async Task<IResult> Create(OrganizationRequest request, ConfigChanges changes, CancellationToken cancellationToken) =>
        request.Check() ?? ResourceAnswers.Created("/admin/v1/organizations",
            await changes.ApplyAsync(change => OrganizationStore.InsertAsync(change, request), cancellationToken));

    private static Task<IResult> List([AsParameters] PageQuery page, OrganizationStore organizations, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => organizations.ListAsync(start, cancellationToken));

    private static async Task<IResult> Get(Guid id, OrganizationStore organizations, CancellationToken cancellationToken) =>
        ResourceAnswers.Found(await organizations.FindOrNullAsync(id, cancellationToken), "organization", id);
}
