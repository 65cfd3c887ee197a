using System.ComponentModel;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using OpenPlatform.Catalog.Apis.Documents;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Apis;

internal static class RevisionEndpoints
{
    private const string Version = "/{id:guid}/versions/{versionId:guid}";

    public static void MapRevisions(this IEndpointRouteBuilder apis)
    {
        apis.MapPost(Version + "/revisions", Add).Needs(Permission.WriteApis).Changes<Api>("PublishRevision", "The next revision of a version, in force at once or as a draft.");
        apis.MapGet(Version + "/revisions", List).Needs(Permission.ReadConfiguration).Lists<ApiRevision>("ListRevisions", "Revisions of a version, oldest first.");
        apis.MapGet(Version + "/revisions/{revision:int}", Get).Needs(Permission.ReadConfiguration)
            .Describe("GetRevision", "One revision with its document, operations, policies and what changed since the one before.").Produces<ApiRevisionDetail>();
        apis.MapPut(Version + "/revisions/{revision:int}", Replace).Needs(Permission.WriteApis).Changes<Api>("ReplaceDraft", "Gives a draft another content.");
        apis.MapDelete(Version + "/revisions/{revision:int}", Delete).Needs(Permission.WriteApis).Deletes("DeleteDraft", "Takes a draft away; what is in force stays.");
        apis.MapPut(Version + "/document", PutDocument).Needs(Permission.WriteApis).Accepts<object>("application/json", "application/yaml")
            .WithMetadata(new RequestSizeLimitAttribute(DocumentText.MaxBytes + 1))
            .Changes<Api>("PublishDocument", "The next revision from an OpenAPI document in JSON or YAML, which is the body; backend and policies are those of the revision before.");
        apis.MapGet(Version + "/operations/{operationId}/mock", Mock).Needs(Permission.ReadApis)
            .Describe("MockOperation", "What an operation would answer, after the examples and schemas of its document.").Produces<MockAnswer>();
    }

    /// <summary>A verb of the collection, which a group of routes below it cannot have.</summary>
    public static void MapDocumentCheck(this IEndpointRouteBuilder admin) =>
        admin.MapPost("/apis:check", Check).WithTags("APIs").Needs(Permission.ReadApis).Accepts<object>("application/json", "application/yaml")
            .WithMetadata(new RequestSizeLimitAttribute(DocumentText.MaxBytes + 1))
            .Describe("CheckDocument", "What importing an OpenAPI document would find; nothing is written.").Produces<DocumentReport>();

    private static async Task<IResult> Add(Guid id, Guid versionId, RevisionRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var publication = request.Check();
        return publication.Problem ?? ResourceAnswers.Changed(
            await changes.ApplyAsync(change => ApiStore.AddRevisionAsync(change, id, versionId, publication.Value, ifMatch), cancellationToken));
    }

    private static Task<IResult> List(Guid id, Guid versionId, [AsParameters] PageQuery page, RevisionStore revisions, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListByNumberAsync(context, page, 0, (after, fetch) => revisions.ListAsync(id, versionId, after, fetch, cancellationToken),
            static revision => revision.Revision, CatalogProblem.NotFound("API version", versionId));

    private static async Task<IResult> Get(Guid id, Guid versionId, int revision, RevisionStore revisions, CancellationToken cancellationToken) =>
        await revisions.FindOrNullAsync(id, versionId, revision, cancellationToken) is { } found
            ? TypedResults.Ok(found)
            : CatalogProblem.OfStatus(StatusCodes.Status404NotFound, $"There is no revision {revision} of the version {versionId}.");

    private static async Task<IResult> Replace(
        Guid id, Guid versionId, int revision, RevisionRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var publication = (request with { Draft = true }).Check();
        return publication.Problem ?? await ChangeAsync(id, ifMatch, changes, change => RevisionStore.ReplaceDraftAsync(change, id, versionId, revision, publication.Value), versionId, cancellationToken);
    }

    private static async Task<IResult> Delete(Guid id, Guid versionId, int revision, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await changes.ApplyAsync<bool>(async change =>
            (await ApiStore.TouchAsync(change, id, ifMatch) ?? await RevisionStore.DeleteDraftAsync(change, id, versionId, revision)) is { } problem ? problem : true, cancellationToken));

    private static async Task<IResult> PutDocument(
        Guid id, Guid versionId, [Description("True: as a draft.")] bool? draft, [Description("True: gateways check bodies against it.")] bool? validateBodies,
        [Description("True: operations ask for the scopes that it names.")] bool? requireScopes, [Description("True: operations carry its mock answers.")] bool? keepExamples,
        HttpRequest request, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var text = await ReadTextAsync(request, cancellationToken);
        return await ChangeAsync(id, ifMatch, changes, async change =>
        {
            if (await RevisionStore.LockAsync(change, id, versionId) is not { } version)
            {
                return CatalogProblem.NotFound("API version", versionId);
            }

            var before = await RevisionStore.ReadAsync(change.Connection, change.Transaction, versionId, version.Draft ?? version.Current ?? version.Last, cancellationToken);
            var publication = Publication.OfRevision(DocumentParts.Of(text, before!, new(validateBodies ?? false, requireScopes ?? false, keepExamples ?? false), draft ?? false));
            return publication.Problem ?? (version.Draft is { } open && draft == true
                ? await RevisionStore.ReplaceDraftAsync(change, id, versionId, open, publication.Value)
                : (await RevisionStore.AddAsync(change, id, versionId, publication.Value)).Problem);
        }, versionId, cancellationToken);
    }

    private static async Task<IResult> Check(HttpRequest request, CancellationToken cancellationToken)
    {
        var check = new RequestCheck();
        var imported = ImportedRevision.OfDocument(JsonSerializer.SerializeToElement(await ReadTextAsync(request, cancellationToken)), "", check);
        return check.Problem ?? (IResult)TypedResults.Ok(new DocumentReport(
            [.. imported!.Operations.Select(static o => new ApiOperation(o.Model.OperationId, o.Model.Method, o.Model.PathTemplate, null))], imported.Findings));
    }

    private static async Task<IResult> Mock(
        Guid id, Guid versionId, string operationId, [Description("The status to answer with; the first good one when absent.")] int? status, Caller caller, RevisionStore revisions,
        CancellationToken cancellationToken) =>
        await revisions.MockOrNullAsync(id, versionId, operationId, status, ApiEndpoints.SeesDrafts(caller), cancellationToken) is { } answer
            ? TypedResults.Ok(answer)
            : CatalogProblem.OfStatus(StatusCodes.Status404NotFound, $"No document describes such an answer of {operationId}.");

    private static async Task<IResult> ChangeAsync(
        Guid id, IfMatch ifMatch, ConfigChanges changes, Func<ConfigChange, Task<CatalogProblem?>> write, Guid versionId, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync<ApiVersion>(async change =>
            (await ApiStore.TouchAsync(change, id, ifMatch) ?? await write(change)) is { } problem ? problem : await ApiStore.VersionAsync(change, versionId), cancellationToken));

    private static async Task<string> ReadTextAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        return await reader.ReadToEndAsync(cancellationToken);
    }
}

/// <summary>What importing a document would find.</summary>
public sealed record DocumentReport(IReadOnlyList<ApiOperation> Operations, IReadOnlyList<LintFinding> Findings);
