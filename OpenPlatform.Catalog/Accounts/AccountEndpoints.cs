using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Audit;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Accounts;

internal static class AccountEndpoints
{
    /// <summary>Longest name that is looked at; nobody has a longer one.</summary>
    private const int MaxName = 63;

    public static IServiceCollection AddAccounts(this IServiceCollection services) => services
        .AddSingleton<AccessTokenStore>()
        .AddSingleton<AccountStore>()
        .AddSingleton<PasswordChecks>()
        .AddSingleton<SessionStore>();

    public static void MapAccounts(this IEndpointRouteBuilder admin)
    {
        var accounts = admin.MapGroup("/accounts").WithTags("Access");
        accounts.MapPost("/", Create).Needs(Permission.WriteAccess).Creates<Account>("CreateAccount", "Lets a person log in with a password.");
        accounts.MapGet("/", List).Needs(Permission.ReadAccess).Lists<Account>("ListAccounts", "Accounts, oldest first.");
        accounts.MapById<AccountStore, Account>("account", static (accounts, id, _, cancellationToken) => accounts.FindOrNullAsync(id, cancellationToken))
            .Needs(Permission.ReadAccess).Reads<Account>("GetAccount", "One account.");
        accounts.MapPatch("/{id:guid}", Patch).Needs(Permission.WriteAccess).Patches<Account, AccountPatch>("PatchAccount", "Changes roles, organization, or whether it may log in; ends its sessions.");
        accounts.MapDelete("/{id:guid}", Delete).Needs(Permission.WriteAccess).Deletes("DeleteAccount", "Deletes an account and ends its sessions.");
        accounts.MapPost("/{id:guid}:setPassword", SetPassword).Needs(Permission.WriteAccess).Changes<Account>("SetPassword", "Gives an account another password and ends its sessions.");

        admin.MapPost("/login", Login).AllowAnonymous().WithTags("Access")
            .Describe("Login", "Begins a session of one hour. After five wrong passwords in a row each further one costs a growing pause.")
            .Produces<Session>()
            .Problems(StatusCodes.Status422UnprocessableEntity, StatusCodes.Status429TooManyRequests);
        admin.MapPost("/logout", Logout).Needs(Permission.UseSelf).WithTags("Access")
            .Describe("Logout", "Ends the session that is presented.")
            .Produces(StatusCodes.Status204NoContent);
        admin.MapGet("/me", Me).Needs(Permission.UseSelf).WithTags("Access")
            .Describe("GetSelf", "Who calls, and what it is.")
            .Produces<Self>();
    }

    private static async Task<IResult> Create(AccountRequest request, AuditedWrites writes, CancellationToken cancellationToken)
    {
        if (request.Check() is { } problem)
        {
            return problem;
        }

        var password = PasswordHash.Of(request.Password!);
        return ResourceAnswers.Created("/admin/v1/accounts", await writes.ApplyAsync(change => AccountStore.InsertAsync(change, request, password), cancellationToken));
    }

    private static Task<IResult> List([AsParameters] PageQuery page, AccountStore accounts, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => accounts.ListAsync(start, cancellationToken));

    private static async Task<IResult> Patch(Guid id, MergePatch patch, IfMatch ifMatch, AuditedWrites writes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await writes.ApplyAsync(change => AccountStore.PatchAsync(change, id, patch, ifMatch), cancellationToken));

    private static async Task<IResult> Delete(Guid id, IfMatch ifMatch, AuditedWrites writes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await writes.ApplyAsync(change => AccountStore.DeleteAsync(change, id, ifMatch), cancellationToken));

    private static async Task<IResult> SetPassword(Guid id, PasswordRequest request, IfMatch ifMatch, AuditedWrites writes, CancellationToken cancellationToken)
    {
        if (request.Check() is { } problem)
        {
            return problem;
        }

        var password = PasswordHash.Of(request.Password!);
        return ResourceAnswers.Changed(await writes.ApplyAsync(change => AccountStore.SetPasswordAsync(change, id, password, ifMatch), cancellationToken));
    }

    private static async Task<IResult> Login(
        LoginRequest request, SessionStore sessions, PasswordChecks checks, IOptions<CatalogOptions> options, HttpContext context, CancellationToken cancellationToken)
    {
        context.Response.Headers.CacheControl = "no-store";
        if (request is not { Name: { Length: > 0 and <= MaxName } name, Password: { Length: <= PasswordHash.MaxLength } password })
        {
            return CatalogProblem.LoginFailed();
        }

        // The turn comes before the attempt: who is sent away has tried nothing.
        var (hadTurn, answer) = await checks.RunAsync(() => LoginAsync(name, password, sessions, options, cancellationToken), cancellationToken);
        return hadTurn ? answer! : CatalogProblem.TooManyLogins(TimeSpan.FromSeconds(1));
    }

    private static async Task<IResult> LoginAsync(string name, string password, SessionStore sessions, IOptions<CatalogOptions> options, CancellationToken cancellationToken)
    {
        if (await sessions.BeginAttemptAsync(name, cancellationToken) is { } pause)
        {
            return CatalogProblem.TooManyLogins(pause);
        }

        var account = await sessions.FindOrNullAsync(name, cancellationToken);
        return PasswordHash.Matches(account?.Password, password)
            && await sessions.BeginOrNullAsync(name, account!.Value.Id, account.Value.Password, options.Value.KeyPepperBytes, cancellationToken) is { } session
                ? TypedResults.Ok(session)
                : CatalogProblem.LoginFailed();
    }

    private static async Task<IResult> Logout(HttpContext context, SessionStore sessions, IOptions<CatalogOptions> options, CancellationToken cancellationToken)
    {
        if (context.Request.Headers.Authorization is [{ } header] && PresentedToken.SecretOrNull(header) is { } token && BearerSecret.HashOrNull(options.Value.KeyPepperBytes, token) is { } hash)
        {
            await sessions.EndAsync(hash, cancellationToken);
        }

        return TypedResults.NoContent();
    }

    private static Self Me(Caller caller) => new(caller.Actor, caller.Roles, caller.OrganizationId);
}
