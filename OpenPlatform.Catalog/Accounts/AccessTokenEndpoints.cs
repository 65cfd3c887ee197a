using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Audit;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Accounts;

internal static class AccessTokenEndpoints
{
    public static void MapAccessTokens(this IEndpointRouteBuilder admin)
    {
        var tokens = admin.MapGroup("/tokens").WithTags("Access");
        tokens.MapPost("/", Create).Needs(Permission.WriteAccess).Creates<IssuedToken>("CreateToken", "Issues a token for a machine. The answer is the only place where it is shown.");
        tokens.MapGet("/", List).Needs(Permission.ReadAccess).Lists<AccessToken>("ListTokens", "Tokens, oldest first; never the tokens themselves.");
        tokens.MapById<AccessTokenStore, AccessToken>("token", static (tokens, id, _, cancellationToken) => tokens.FindOrNullAsync(id, cancellationToken))
            .Needs(Permission.ReadAccess).Reads<AccessToken>("GetToken", "One token; never the token itself.");
        tokens.MapPost("/{id:guid}:revoke", Revoke).Needs(Permission.WriteAccess).Changes<AccessToken>("RevokeToken", "Makes the catalog refuse the token, for good.");
    }

    private static async Task<IResult> Create(
        AccessTokenRequest request, AuditedWrites writes, IOptions<CatalogOptions> options, TimeProvider time, CancellationToken cancellationToken) =>
        request.Check(time.GetUtcNow()) ?? ResourceAnswers.Created("/admin/v1/tokens",
            await writes.ApplyAsync(change => AccessTokenStore.InsertAsync(change, request, options.Value.KeyPepperBytes), cancellationToken));

    private static Task<IResult> List([AsParameters] PageQuery page, AccessTokenStore tokens, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => tokens.ListAsync(start, cancellationToken));

    private static async Task<IResult> Revoke(Guid id, IfMatch ifMatch, AuditedWrites writes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await writes.ApplyAsync(change => AccessTokenStore.RevokeAsync(change, id, ifMatch), cancellationToken));
}
