using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Authentication.Replay;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Authentication.Tokens;

namespace OpenPlatform.Gateway.Authentication;

internal static class AuthenticationServices
{
    public static void AddAuthenticationSchemes(this IServiceCollection services)
    {
        services.AddOptionsWithValidateOnStart<AuthenticationOptions, AuthenticationOptionsValidator>().BindConfiguration(AuthenticationOptions.Section);
        services.AddSingleton<ApiKeyAuthenticator>().AddSingleton<HmacAuthenticator>().AddSingleton<SignatureAuthenticator>().AddSingleton<TokenAuthenticator>();
        services.AddSingleton<ReplayGuard>().AddSingleton<IdentityCompiler>();
        services.AddSingleton<CredentialUses>().AddHostedService(static provider => provider.GetRequiredService<CredentialUses>());
        services.AddSingleton<IssuerKeys>().AddHostedService(static provider => provider.GetRequiredService<IssuerKeys>());

        // Keys are fetched from where the snapshot says and from nowhere that an answer says.
        services.AddHttpClient(nameof(IssuerKeys))
            .UseSocketsHttpHandler(static (handler, _) => (handler.AllowAutoRedirect, handler.UseCookies, handler.PooledConnectionLifetime) = (false, false, TimeSpan.FromMinutes(2)))
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan);

        services.AddOptions<KestrelServerOptions>().Configure<IOptions<AuthenticationOptions>>(static (kestrel, authentication) =>
        {
            if (authentication.Value.ClientCertificates)
            {
                kestrel.ConfigureHttpsDefaults(static https =>
                {
                    // Any is let in: a certificate counts when its thumbprint is in the snapshot, whoever signed it.
                    https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                    https.AllowAnyClientCertificate();
                });
            }
        });
    }
}
