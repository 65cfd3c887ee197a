using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Backends;

internal static class BackendEndpoints
{
    public static void MapBackends(this IEndpointRouteBuilder admin)
    {
        var backends = admin.MapGroup("/backends").WithTags("Backends");
        backends.MapPost("/", Create).Needs(Permission.WriteBackends).Creates<Backend>("CreateBackend", "Registers what an API calls: a service with leased instances, fixed addresses, or both.");
        backends.MapGet("/", List).Needs(Permission.ReadBackends).Lists<Backend>("ListBackends", "Backends, oldest first.");
        backends.MapById<BackendStore, Backend>("backend", static (backends, id, _, _) => backends.FindOrNullAsync(id))
            .Needs(Permission.ReadBackends).Reads<Backend>("GetBackend", "One backend.");
        backends.MapPatch("/{id:guid}", Patch).Needs(Permission.WriteBackends).Patches<Backend, BackendRequest>("PatchBackend", "Changes a backend; gateways have it with the next revision.");
        backends.MapDelete("/{id:guid}", Delete).Needs(Permission.WriteBackends).Deletes("DeleteBackend", "Deletes a backend that no revision in force calls.");
    }

    private static async Task<IResult> Create(BackendRequest request, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var backend = request.Check();
        return backend.Problem ?? ResourceAnswers.Created("/admin/v1/backends",
            await changes.ApplyAsync(change => BackendStore.InsertAsync(change, backend.Value), cancellationToken));
    }

    private static Task<IResult> List([AsParameters] PageQuery page, BackendStore backends, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => backends.ListAsync(start, cancellationToken));

    private static async Task<IResult> Patch(Guid id, MergePatch patch, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => BackendStore.PatchAsync(change, id, patch, ifMatch), cancellationToken));

    private static async Task<IResult> Delete(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await changes.ApplyAsync(change => BackendStore.DeleteAsync(change, id, ifMatch), cancellationToken));
}
