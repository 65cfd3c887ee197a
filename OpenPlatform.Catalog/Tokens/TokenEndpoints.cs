using Dapper;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>OAuth 2.0 for programs: client credentials (RFC 6749, 4.4), revocation (7009), introspection (7662), metadata (8414) and keys (7517).</summary>
internal static class TokenEndpoints
{
    public const string TokenPath = "/oauth/token";
    private const string RevokePath = "/oauth/revoke";
    private const string IntrospectPath = "/oauth/introspect";
    private const string JwksPath = "/oauth/jwks";

    private static readonly string[] Methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    private static readonly string[] Algorithms = ["ES256", "RS256", "PS256"];

    public static IServiceCollection AddTokens(this IServiceCollection services)
    {
        services.AddOptions<TokenOptions>().BindConfiguration(TokenOptions.Section).ValidateOnStart();
        return services
            .AddSingleton<IValidateOptions<TokenOptions>, TokenOptionsValidator>()
            .AddSingleton<SigningKeys>()
            .AddSingleton<TokenIssuer>()
            .AddSingleton<GuessLimiter>()
            .AddSingleton<ClientAuthenticator>()
            .AddSingleton<IStartupWork, SigningKeyMaintenance>()
            .AddHostedService<SigningKeyMaintenance>();
    }

    /// <summary>For everybody: who asks proves itself in the request.</summary>
    public static void MapTokens(this IEndpointRouteBuilder app)
    {
        if (!app.ServiceProvider.GetRequiredService<IOptions<TokenOptions>>().Value.IsOn)
        {
            return;
        }

        var open = app.MapGroup("").AllowAnonymous().RequireStorage().ExcludeFromDescription();
        open.MapPost(TokenPath, Issue);
        open.MapPost(RevokePath, Revoke);
        open.MapPost(IntrospectPath, Introspect);
        open.MapGet(JwksPath, Keys);
        open.MapGet("/.well-known/oauth-authorization-server", Metadata);
    }

    public static void MapTokenKeys(this IEndpointRouteBuilder admin)
    {
        var keys = admin.MapGroup("").WithTags("Tokens");
        keys.MapGet("/token-keys", ListKeys).Needs(Permission.ReadConfiguration).Describe("ListTokenKeys", "The keys that sign access tokens, signed or will sign; never their private parts.").Produces<Page<TokenKey>>();
        keys.MapPost("/token-keys:rotate", RotateKeys).Needs(Permission.Operate).Describe("RotateTokenKeys", "Makes the next key, which signs once it was published long enough; or at once, when one leaked: then every token that is about ends.").Produces<TokenKey>();
    }

    private static async Task<IResult> Issue(HttpContext context, ClientAuthenticator clients, TokenIssuer issuer, CancellationToken cancellationToken)
    {
        var (form, unreadable) = await OAuthForm.ReadAsync(context.Request);
        if (form is null)
        {
            return unreadable!;
        }

        var (client, error) = await clients.AuthenticateAsync(context, form);
        if (client is null)
        {
            return error!;
        }

        if (form["grant_type"] is not { } grant)
        {
            return OAuthError.InvalidRequest("grant_type is missing");
        }

        if (grant != "client_credentials")
        {
            return OAuthError.UnsupportedGrant();
        }

        if (await issuer.ScopeOrNullAsync(client, form["scope"], cancellationToken) is not { } scope)
        {
            return OAuthError.InvalidScope("no plan of the application grants any of it");
        }

        var (token, lifetime) = await issuer.IssueAsync(client, scope, cancellationToken);
        OAuthAnswers.NotStored(context.Response);
        var answer = new Dictionary<string, object>(StringComparer.Ordinal) { ["access_token"] = token, ["token_type"] = "Bearer", ["expires_in"] = (long)lifetime.TotalSeconds };
        if (scope.Length > 0)
        {
            answer["scope"] = scope;
        }

        return TypedResults.Ok(answer);
    }

    private static async Task<IResult> Revoke(HttpContext context, ClientAuthenticator clients, TokenIssuer issuer, ConfigChanges changes, CancellationToken cancellationToken)
    {
        var (form, unreadable) = await OAuthForm.ReadAsync(context.Request);
        if (form is null)
        {
            return unreadable!;
        }

        var (client, error) = await clients.AuthenticateAsync(context, form);
        if (client is null)
        {
            return error!;
        }

        if (form["token"] is not { } text)
        {
            return OAuthError.InvalidRequest("token is missing");
        }

        if (await issuer.FindOrNullAsync(text, cancellationToken) is { } token)
        {
            if (token.Client != client.Id)
            {
                return OAuthError.InvalidGrant("the token was issued to another client");
            }

            // Ten minutes longer: gateways may allow as much for clocks that differ.
            await changes.ApplyAsync<bool>(async change =>
            {
                await change.Connection.ExecuteAsync(change.Sql(
                    "insert into token_revocations (id, expires_at) values (@Id, @until) on conflict do nothing", new { token.Id, until = token.ExpiresAt.AddMinutes(10) }));
                return true;
            }, cancellationToken);
        }

        // RFC 7009, 2.2: a token that does not count is as good as taken back.
        OAuthAnswers.NotStored(context.Response);
        return TypedResults.Ok();
    }

    private static async Task<IResult> Introspect(HttpContext context, ClientAuthenticator clients, TokenIssuer issuer, IOptions<TokenOptions> options, CancellationToken cancellationToken)
    {
        var (form, unreadable) = await OAuthForm.ReadAsync(context.Request);
        if (form is null)
        {
            return unreadable!;
        }

        var (client, error) = await clients.AuthenticateAsync(context, form);
        if (client is null)
        {
            return error!;
        }

        if (form["token"] is not { } text)
        {
            return OAuthError.InvalidRequest("token is missing");
        }

        OAuthAnswers.NotStored(context.Response);
        // RFC 7662, 4: a client asks about its own tokens; what others have is as unknown to it as what nobody has.
        if (await issuer.FindOrNullAsync(text, cancellationToken) is not { } token || token.Client != client.Id)
        {
            return TypedResults.Ok(new { active = false });
        }

        return TypedResults.Ok(new
        {
            active = true, scope = token.Scope ?? "", client_id = token.Client, sub = token.Client, token_type = "Bearer", iss = options.Value.Issuer, aud = options.Value.Audience,
            jti = token.Id, iat = token.IssuedAt.ToUnixTimeSeconds(), exp = token.ExpiresAt.ToUnixTimeSeconds(),
        });
    }

    private static async Task<IResult> Keys(HttpContext context, SigningKeys keys, CancellationToken cancellationToken)
    {
        context.Response.Headers.CacheControl = "public, max-age=300";
        return TypedResults.Ok(new
        {
            keys = (await keys.PublishedAsync(cancellationToken)).Select(static key => key.ToJwk()).Select(static jwk => new { kid = jwk.Kid, kty = jwk.Kty, alg = jwk.Alg, use = jwk.Use, crv = jwk.Crv, x = jwk.X, y = jwk.Y }),
        });
    }

    private static IResult Metadata(HttpContext context, IOptions<TokenOptions> options)
    {
        var issuer = options.Value.Issuer;
        context.Response.Headers.CacheControl = "public, max-age=300";
        return TypedResults.Ok(new
        {
            issuer,
            token_endpoint = issuer + TokenPath,
            revocation_endpoint = issuer + RevokePath,
            introspection_endpoint = issuer + IntrospectPath,
            jwks_uri = issuer + JwksPath,
            grant_types_supported = new[] { "client_credentials" },
            response_types_supported = Array.Empty<string>(),
            token_endpoint_auth_methods_supported = Methods,
            token_endpoint_auth_signing_alg_values_supported = Algorithms,
            revocation_endpoint_auth_methods_supported = Methods,
            revocation_endpoint_auth_signing_alg_values_supported = Algorithms,
            introspection_endpoint_auth_methods_supported = Methods,
            introspection_endpoint_auth_signing_alg_values_supported = Algorithms,
        });
    }

    private static async Task<IResult> ListKeys(SigningKeys keys, CancellationToken cancellationToken) =>
        TypedResults.Ok(new Page<TokenKey>([.. (await keys.PublishedAsync(cancellationToken)).Select(TokenKey.Of)]));

    private static async Task<IResult> RotateKeys(TokenKeyRotation? request, SigningKeys keys, ConfigChanges changes, IOptions<TokenOptions> options, CancellationToken cancellationToken)
    {
        if (!options.Value.IsOn)
        {
            return CatalogProblem.Conflict("", "this catalog issues no tokens: OpenPlatform:Tokens:Issuer is not set");
        }

        var outcome = await changes.ApplyAsync<TokenKey>(async change => TokenKey.Of(await keys.RotateAsync(change, request?.AtOnce ?? false)), cancellationToken);
        return outcome.Problem ?? (IResult)TypedResults.Ok(outcome.Value);
    }
}

/// <param name="AtOnce">True: it signs now, the others are withdrawn, and every token that is about ends.</param>
public sealed record TokenKeyRotation(bool AtOnce = false);

/// <summary>A key that signs access tokens, without its private part.</summary>
/// <param name="Id">The <c>kid</c>.</param>
/// <param name="SignsFrom">From when on it signs, until another one does.</param>
public sealed record TokenKey(Guid Id, DateTimeOffset CreatedAt, DateTimeOffset SignsFrom)
{
    internal static TokenKey Of(PublishedKey key) => new(key.Id, key.CreatedAt, key.SignsFrom);
}
