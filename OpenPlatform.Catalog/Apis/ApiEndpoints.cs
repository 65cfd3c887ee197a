using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Apis;

internal static class ApiEndpoints
{
    public static void MapApis(this IEndpointRouteBuilder admin)
    {
        var apis = admin.MapGroup("/apis").WithTags("APIs");
        apis.MapPost("/", Create).Needs(Permission.WriteApis).Creates<Api>("CreateApi", "Publishes a new API with its first version, from a list of operations or an OpenAPI document.");
        apis.MapGet("/", List).Needs(Permission.ReadApis).Lists<Api>("ListApis", "APIs, oldest first.");
        apis.MapGet("/{id:guid}", Get).Needs(Permission.ReadApis).Reads<Api>("GetApi", "One API with its versions.");
        apis.MapPost("/{id:guid}/versions", AddVersion).Needs(Permission.WriteApis).Changes<Api>("PublishVersion", "Publishes another version of an API.");
        apis.MapPost("/{id:guid}/versions/{versionId:guid}/revisions", AddRevision).Needs(Permission.WriteApis).Changes<Api>("PublishRevision", "Publishes the next revision of a version; it is in force at once.");
    }

    private static async Task<IResult> Create(ApiRequest request, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var publication = request.Check();
        return publication.Problem ?? ResourceAnswers.Created("/admin/v1/apis",
            await changes.ApplyAsync(change => ApiStore.InsertAsync(change, publication.Value), cancellationToken));
    }

    private static Task<IResult> List([AsParameters] PageQuery page, ApiStore apis, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => apis.ListAsync(start, cancellationToken));

    private static async Task<IResult> Get(Guid id, ApiStore apis, CancellationToken cancellationToken) =>
        ResourceAnswers.Found(await apis.FindOrNullAsync(id, cancellationToken), "API", id);

    private static async Task<IResult> AddVersion(Guid id, VersionRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var publication = request.Check();
        return publication.Problem ?? ResourceAnswers.Changed(
            await changes.ApplyAsync(change => ApiStore.AddVersionAsync(change, id, publication.Value, ifMatch), cancellationToken));
    }

    private static async Task<IResult> AddRevision(
        Guid id, Guid versionId, RevisionRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var publication = request.Check();
        return publication.Problem ?? ResourceAnswers.Changed(
            await changes.ApplyAsync(change => ApiStore.AddRevisionAsync(change, id, versionId, publication.Value, ifMatch), cancellationToken));
    }
}
