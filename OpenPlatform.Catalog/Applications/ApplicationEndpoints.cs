using System.ComponentModel;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Applications;

internal static class ApplicationEndpoints
{
    public static void MapApplications(this IEndpointRouteBuilder admin)
    {
        var applications = admin.MapGroup("/applications").WithTags("Applications");
        applications.MapPost("/", Create).Needs(Permission.WriteApplications).Creates<Application>("CreateApplication", "Registers a calling program of a partner.");
        applications.MapGet("/", List).Needs(Permission.ReadApplications).Lists<Application>("ListApplications", "Applications, oldest first.");
        applications.MapById<ApplicationStore, Application>("application", static (applications, id, caller, _) => applications.FindOrNullAsync(caller, id))
            .Needs(Permission.ReadApplications).Reads<Application>("GetApplication", "One application.");
        applications.MapPatch("/{id:guid}", Patch).Needs(Permission.WriteApplications).Patches<Application, ApplicationRequest>("ChangeApplication", "Changes its name and where it may call from.");
        applications.MapDelete("/{id:guid}", Delete).Needs(Permission.WriteApplications).Deletes("DeleteApplication", "Deletes an application without live subscriptions, and its credentials.");
        applications.MapPost("/{id:guid}:suspend", Suspend).Needs(Permission.SuspendApplications).Changes<Application>("SuspendApplication", "Makes gateways refuse the application until it is resumed.");
        applications.MapPost("/{id:guid}:resume", Resume).Needs(Permission.SuspendApplications).Changes<Application>("ResumeApplication", "Ends a suspension.");
    }

    private static async Task<IResult> Create(ApplicationRequest request, ConfigChanges changes, CancellationToken cancellationToken) =>
        request.Check() ?? ResourceAnswers.Created("/admin/v1/applications",
            await changes.ApplyAsync(change => ApplicationStore.InsertAsync(change, request), cancellationToken));

    private static Task<IResult> List(
        [AsParameters] PageQuery page, [Description("Only those of this organization.")] Guid? organization, Caller caller, ApplicationStore applications, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => applications.ListAsync(caller, organization, start, cancellationToken));

    private static async Task<IResult> Patch(Guid id, MergePatch patch, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => ApplicationStore.PatchAsync(change, id, patch, ifMatch), cancellationToken));

    private static async Task<IResult> Delete(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await changes.ApplyAsync(change => ApplicationStore.DeleteAsync(change, id, ifMatch), cancellationToken));

    private static async Task<IResult> Suspend(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => ApplicationStore.SetSuspendedAsync(change, id, suspended: true, ifMatch), cancellationToken));

    private static async Task<IResult> Resume(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => ApplicationStore.SetSuspendedAsync(change, id, suspended: false, ifMatch), cancellationToken));
}
