using System.ComponentModel;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;

namespace OpenPlatform.Catalog.Credentials;

internal static class CredentialEndpoints
{
    public static IServiceCollection AddCredentials(this IServiceCollection services) => services.AddSingleton<CredentialStore>().AddSingleton<Envelopes>();

    public static void MapCredentials(this IEndpointRouteBuilder admin)
    {
        var credentials = admin.MapGroup("/credentials").WithTags("Credentials");
        credentials.MapPost("/", Create).Needs(Permission.IssueCredentials).Creates<IssuedCredential>("CreateCredential", "Issues a credential. The answer is the only place where a generated key or secret is shown.");
        credentials.MapGet("/", List).Needs(Permission.ReadCredentials).Lists<Credential>("ListCredentials", "Credentials, oldest first; never anything secret.");
        credentials.MapById<CredentialStore, Credential>("credential", static (credentials, id, caller, _) => credentials.FindOrNullAsync(caller, id))
            .Needs(Permission.ReadCredentials).Reads<Credential>("GetCredential", "One credential; never anything secret.");
        credentials.MapPost("/{id:guid}:rotate", Rotate).Needs(Permission.IssueCredentials).Changes<IssuedCredential>("RotateCredential", "Issues a credential in the place of this one, which counts until the overlap has passed.", StatusCodes.Status201Created);
        credentials.MapPost("/{id:guid}:revoke", Revoke).Needs(Permission.RevokeCredentials).Changes<Credential>("RevokeCredential", "Makes gateways refuse the credential, for good.");
    }

    private static async Task<IResult> Create(
        CredentialRequest request, ConfigChanges changes, IOptions<CatalogOptions> options, Envelopes envelopes, TimeProvider time, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var made = request.Make(Guid.CreateVersion7(now), now, options.Value.KeyPepperBytes, envelopes);
        return made.Problem ?? ResourceAnswers.Created("/admin/v1/credentials",
            await changes.ApplyAsync(change => CredentialStore.InsertAsync(change, made.Value), cancellationToken));
    }

    private static Task<IResult> List(
        [AsParameters] PageQuery page, [Description("Only those of this application.")] Guid? application, Caller caller, CredentialStore credentials, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => credentials.ListAsync(caller, application, start, cancellationToken));

    private static async Task<IResult> Rotate(
        Guid id, IfMatch ifMatch, RotationRequest request, ConfigChanges changes, IOptions<CatalogOptions> options, Envelopes envelopes, CancellationToken cancellationToken) =>
        request.Check() ?? ResourceAnswers.Created("/admin/v1/credentials", await changes.ApplyAsync(
            change => CredentialStore.RotateAsync(change, id, ifMatch, request.Overlap,
                old => request.Next(old, change.Now).Make(Guid.CreateVersion7(change.Now), change.Now, options.Value.KeyPepperBytes, envelopes)),
            cancellationToken));

    private static async Task<IResult> Revoke(Guid id, IfMatch ifMatch, ConfigChanges changes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await changes.ApplyAsync(change => CredentialStore.RevokeAsync(change, id, ifMatch), cancellationToken));
}
