using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Catalog.Security;

/// <summary>What an <c>Authorization</c> header presents, as far as that can be told without asking anybody.</summary>
/// <param name="Header">The whole header, as the server gave it.</param>
/// <param name="Known">The holder of a token of the deployment.</param>
/// <param name="TokenHash">Of what looks like a machine's token, to be looked up.</param>
/// <param name="SessionHash">Of what looks like the session of an account, to be looked up.</param>
/// <param name="Signed">What looks like a token of the identity provider.</param>
internal sealed record PresentedToken(string Header, Caller? Known = null, byte[]? TokenHash = null, byte[]? SessionHash = null, string? Signed = null)
{
    private const string Scheme = "Bearer ";

    /// <summary>What stands behind <c>Bearer</c>, or null when nothing does.</summary>
    public static string? SecretOrNull(string header) => header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim() : null;
}

/// <summary>The two tokens of the deployment, of which a caller needs no database to be known.</summary>
internal sealed class DeploymentTokens(CatalogOptions options)
{
    private readonly byte[] _admin = HashOf(options.AdminToken);
    private readonly byte[] _service = HashOf(options.ServiceToken);

    /// <summary>Compares with both always, and hashes: the time says nothing about which one came close, nor about content or length of either.</summary>
    public Caller? HolderOrNull(string secret)
    {
        var hash = HashOf(secret);
        var isAdmin = CryptographicOperations.FixedTimeEquals(hash, _admin);
        var isService = CryptographicOperations.FixedTimeEquals(hash, _service);
        return isService ? Caller.Gateway : isAdmin ? Caller.Deployment : null;
    }

    private static byte[] HashOf(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));
}
