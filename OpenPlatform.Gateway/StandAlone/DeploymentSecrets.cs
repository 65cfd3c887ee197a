using System.Security.Cryptography;

namespace OpenPlatform.Gateway.StandAlone;

/// <summary>
/// What the snapshot's hashes and envelopes are made with. Alone, the gateway makes them itself from what stands in its file, so any
/// secrets will do that live as long as the process, unless the file holds hashes that were made elsewhere.
/// </summary>
/// <param name="Pepper">Text of <c>OpenPlatform:KeyPepper</c>.</param>
/// <param name="EnvelopeKey">Base64 of <c>OpenPlatform:EnvelopeKey</c>.</param>
internal sealed record DeploymentSecrets(string Pepper, string EnvelopeKey)
{
    private const string PepperKey = "OpenPlatform:KeyPepper", EnvelopeKeyKey = "OpenPlatform:EnvelopeKey";

    public static DeploymentSecrets Any() => new(Random(), Random());

    /// <summary>Those of the configuration; what it lacks is made up and put there, where the authenticators read it.</summary>
    public static DeploymentSecrets Of(IConfiguration configuration) => new(GetOrMake(configuration, PepperKey), GetOrMake(configuration, EnvelopeKeyKey));

    private static string GetOrMake(IConfiguration configuration, string key)
    {
        if (string.IsNullOrEmpty(configuration[key]))
        {
            configuration[key] = Random();
        }

        return configuration[key]!;
    }

    private static string Random() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
}
