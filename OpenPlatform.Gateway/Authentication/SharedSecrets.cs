using OpenPlatform.ServiceDefaults.Deployment;

namespace OpenPlatform.Gateway.Authentication;

/// <summary>The secrets that a gateway shares with its catalog. They have no default: without one of them it does not start.</summary>
internal static class SharedSecrets
{
    private static readonly (string Key, string Meaning)[] _required =
    [
        ("OpenPlatform:KeyPepper", "the pepper of API keys: without it no key can be recognised"),
        ("OpenPlatform:ServiceToken", "the bearer token of gateways: without it the catalog tells this one nothing"),
    ];

    /// <exception cref="StartRefusedException">Names each that is missing.</exception>
    public static void Require(IConfiguration configuration)
    {
        var missing = _required.Where(secret => string.IsNullOrEmpty(configuration[secret.Key])).Select(static secret =>
            $"{secret.Key} ({secret.Meaning}) is not set. Give the gateway that of its catalog, for example as the environment variable {secret.Key.Replace(":", "__", StringComparison.Ordinal)}; a gateway without a catalog is started with --snapshot FILE.").ToList();
        if (missing.Count > 0)
        {
            throw new StartRefusedException(string.Join('\n', missing));
        }
    }
}
