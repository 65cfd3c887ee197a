using System.ComponentModel;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Credentials;

internal static class CredentialEndpoints
{
    public static void MapCredentials(this IEndpointRouteBuilder admin)
    {
        var credentials = admin.MapGroup("/credentials").WithTags("Credentials");
        credentials.MapPost("/", Create).Needs(Permission.IssueCredentials).Creates<IssuedCredential>("CreateCredential", "Issues an API key. The answer is the only place where it is shown.");
        credentials.MapGet("/", List).Needs(Permission.ReadCredentials).Lists<Credential>("ListCredentials", "Credentials, oldest first; never their keys.");
        credentials.MapGet("/{id:guid}", Get).Needs(Permission.ReadCredentials).Reads<Credential>("GetCredential", "One credential; never its key.");
        credentials.MapPost("/{id:guid}:revoke", Revoke).Needs(Permission.RevokeCredentials).Changes<Credential>("RevokeCredential", "Makes gateways refuse the key, for good.");
    }

    private static async Task<IResult> Create(
        CredentialRequest request, ConfigChanges changes, IOptions<CatalogOptions> options, TimeProvider time, CancellationToken cancellationToken) =>
        request.Check(time.GetUtcNow()) ?? ResourceAnswers.Created("/admin/v1/credentials",
            await changes.ApplyAsync(change => CredentialStore.InsertAsync(change, request, ApiKey.Create(), options.Value.KeyPepperBytes), cancellationToken));

    private static Task<IResult> List(
        [AsParameters] PageQuery page, [Description("Only those of this application.")] Guid? application, CredentialStore credentials, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => credentials.ListAsync(application, start, cancellationToken));

    private static async Task<IResult> Get(Guid id, CredentialStore credentials, CancellationToken cancellationToken) =>
        ResourceAnswers.Found(await credentials.FindOrNullAsync(id, cancellationToken), "credential", id);

    private static async Task<IResult> Revoke(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => CredentialStore.RevokeAsync(change, id, ifMatch), cancellationToken));
}
