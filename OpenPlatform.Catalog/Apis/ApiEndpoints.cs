using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Apis;

internal static class ApiEndpoints
{
    public static void MapApis(this IEndpointRouteBuilder admin)
    {
        var apis = admin.MapGroup("/apis").WithTags("APIs");
        apis.MapPost("/", Create).Needs(Permission.WriteApis).Creates<Api>("CreateApi", "A new API with its first version, from a list of operations or an OpenAPI document.");
        apis.MapGet("/", List).Needs(Permission.ReadApis).Lists<Api>("ListApis", "APIs, oldest first.");
        apis.MapById<ApiStore, Api>("API", static (apis, id, caller, cancellationToken) => apis.FindOrNullAsync(id, SeesDrafts(caller), cancellationToken))
            .Needs(Permission.ReadApis).Reads<Api>("GetApi", "One API with its versions.");
        apis.MapDelete("/{id:guid}", Delete).Needs(Permission.WriteApis).Deletes("DeleteApi", "Takes away an API of which nothing serves and that nobody was ever subscribed to.");
        apis.MapPost("/{id:guid}/versions", AddVersion).Needs(Permission.WriteApis).Changes<Api>("PublishVersion", "Another version of an API, in force at once or as a draft.");
        apis.MapGet("/{id:guid}/versions", ListVersions).Needs(Permission.ReadApis).Lists<ApiVersion>("ListVersions", "Versions of an API, oldest first.");
        apis.MapGet("/{id:guid}/versions/{versionId:guid}", GetVersion).Needs(Permission.ReadApis).Reads<ApiVersion>("GetVersion", "One version; its ETag is that of the API.");
        apis.MapDelete("/{id:guid}/versions/{versionId:guid}", DeleteVersion).Needs(Permission.WriteApis)
            .Deletes("DeleteVersion", "Takes away a version that is a draft or retired and that nobody was ever subscribed to.");
        admin.MapDocumentCheck();
        apis.MapRevisions();
        apis.MapLifecycle();
    }

    private static async Task<IResult> Create(ApiRequest request, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var publication = request.Check();
        return publication.Problem ?? ResourceAnswers.Created("/admin/v1/apis",
            await changes.ApplyAsync(change => ApiStore.InsertAsync(change, publication.Value), cancellationToken));
    }

    private static Task<IResult> List([AsParameters] PageQuery page, Caller caller, ApiStore apis, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => apis.ListAsync(start, SeesDrafts(caller), cancellationToken));

    private static async Task<IResult> Delete(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await changes.ApplyAsync<bool>(async change =>
            (await ApiStore.TouchAsync(change, id, ifMatch) ?? await LifecycleStore.DeleteApiAsync(change, id)) is { } problem ? problem : true, cancellationToken));

    private static async Task<IResult> AddVersion(Guid id, VersionRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var publication = request.Check();
        return publication.Problem ?? ResourceAnswers.Changed(
            await changes.ApplyAsync(change => ApiStore.AddVersionAsync(change, id, publication.Value, ifMatch), cancellationToken));
    }

    private static async Task<IResult> ListVersions(Guid id, [AsParameters] PageQuery page, Caller caller, ApiStore apis, HttpContext context, CancellationToken cancellationToken)
    {
        var start = page.Start();
        var versions = start.Problem is null ? await apis.ListVersionsAsync(id, start.Value, SeesDrafts(caller), cancellationToken) : [];
        return versions is null ? CatalogProblem.NotFound("API", id) : await PageAnswers.ListAsync(context, page, _ => Task.FromResult(versions));
    }

    private static async Task<IResult> GetVersion(Guid id, Guid versionId, Caller caller, ApiStore apis, CancellationToken cancellationToken) =>
        ResourceAnswers.Found(await apis.FindVersionOrNullAsync(id, versionId, SeesDrafts(caller), cancellationToken), "API version", versionId);

    private static async Task<IResult> DeleteVersion(Guid id, Guid versionId, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await changes.ApplyAsync<bool>(async change =>
            (await ApiStore.TouchAsync(change, id, ifMatch) ?? await LifecycleStore.DeleteVersionAsync(change, id, versionId)) is { } problem ? problem : true, cancellationToken));

    /// <summary>What is not published yet is no partner's business.</summary>
    internal static bool SeesDrafts(Caller caller) => caller.OrganizationId is null;
}
