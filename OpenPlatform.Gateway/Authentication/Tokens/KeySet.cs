using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Serialization;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Gateway.Authentication.Tokens;

/// <summary>A key of an issuer, and what it may have signed with.</summary>
internal sealed record TokenKey(VerificationKey Key, IReadOnlyList<string> Algorithms);

/// <summary>The keys of an issuer at one time. Which object it is says which time: tokens verified with an older set are verified again.</summary>
internal sealed class KeySet(FrozenDictionary<string, TokenKey> keys)
{
    private const int MaxKeys = 64;

    public static KeySet Empty { get; } = new(FrozenDictionary<string, TokenKey>.Empty);

    public int Count => keys.Count;

    /// <summary>The key that a token names, or the only one when it names none.</summary>
    public TokenKey? Find(string? keyId) => keyId is null ? (keys.Count == 1 ? keys.Values[0] : null) : keys.GetValueOrDefault(keyId);

    /// <param name="given">Those of the snapshot; they win over fetched ones of the same name.</param>
    public static KeySet Of(IEnumerable<JwkModel> given, IEnumerable<JwkModel> fetched)
    {
        var keys = new Dictionary<string, TokenKey>(StringComparer.Ordinal);
        foreach (var key in given.Concat(fetched))
        {
            if (!keys.ContainsKey(key.Kid) && JwkReader.Read(key, out _) is { } der)
            {
                keys.Add(key.Kid, new(new(der), [.. JwkReader.Algorithms.Where(algorithm => JwkReader.Fits(key, algorithm))]));
            }
        }

        return new(keys.ToFrozenDictionary(StringComparer.Ordinal));
    }

    /// <summary>The keys of a JWK set (RFC 7517, 5) that can be used here; others are passed over, as the RFC asks. Null: not a JWK set.</summary>
    public static IReadOnlyList<JwkModel>? ParseJwks(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, JwksJson.Default.Jwks)?.Keys?
                .OfType<Jwk>()
                .Where(static k => k is { Kid: { Length: > 0 and <= 256 }, Kty: not null })
                .Select(static k => new JwkModel(k.Kid!, k.Kty!, k.Alg, k.Crv, k.X, k.Y, k.N, k.E) { Use = k.Use })
                .Where(static k => JwkReader.Read(k, out _) is not null)
                .Take(MaxKeys).ToArray();
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>As issuers write it: more members than we know, and not always those we need.</summary>
internal sealed record Jwk(string? Kid, string? Kty, string? Alg, string? Use, string? Crv, string? X, string? Y, string? N, string? E);

internal sealed record Jwks(IReadOnlyList<Jwk?>? Keys);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, PropertyNameCaseInsensitive = false)]
[JsonSerializable(typeof(Jwks))]
internal sealed partial class JwksJson : JsonSerializerContext;
