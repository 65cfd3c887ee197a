using System.Collections.Frozen;
using System.Text.Json;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Security.Oidc;

/// <summary>A key of the issuer as SubjectPublicKeyInfo, and the algorithms it is for.</summary>
internal sealed record OidcKey(bool IsEc, byte[] PublicKey, IReadOnlyList<string> Algorithms);

/// <summary>
/// The keys of the issuer, found by its configuration (OpenID Connect Discovery 1.0) and kept in memory. An issuer that is away changes
/// nothing: the keys that were there count on. A token with an unknown key makes one fetch, at most one in <see cref="Pause"/>.
/// </summary>
internal sealed partial class OidcKeys(IHttpClientFactory clients, IOptions<OidcOptions> options, TimeProvider time, ILogger<OidcKeys> logger) : IDisposable
{
    public const string ClientName = "oidc";

    private const int MaxBytes = 256 * 1024;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private FrozenDictionary<string, OidcKey> _keys = FrozenDictionary<string, OidcKey>.Empty;
    private long? _triedAt;
    private long? _fetchedAt;

    /// <summary>Null: the issuer has no such key, as far as is known.</summary>
    public async Task<OidcKey?> FindOrNullAsync(string keyId, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _keys).TryGetValue(keyId, out var known) && !IsOld())
        {
            return known;
        }

        await _turn.WaitAsync(cancellationToken);
        try
        {
            if ((!_keys.ContainsKey(keyId) || IsOld()) && (_triedAt is not { } tried || time.GetElapsedTime(tried) >= Pause))
            {
                _triedAt = time.GetTimestamp();
                await FetchAsync(cancellationToken);
            }
        }
        finally
        {
            _turn.Release();
        }

        return _keys.GetValueOrDefault(keyId);
    }

    public void Dispose() => _turn.Dispose();

    private bool IsOld() => _fetchedAt is not { } fetched || time.GetElapsedTime(fetched) >= options.Value.KeysInterval;

    private async Task FetchAsync(CancellationToken cancellationToken)
    {
        var authority = options.Value.Authority;
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(Timeout);
            using var client = clients.CreateClient(ClientName);
            client.MaxResponseContentBufferSize = MaxBytes;
            using var configuration = JsonDocument.Parse(await client.GetByteArrayAsync(authority.TrimEnd('/') + "/.well-known/openid-configuration", timeout.Token));
            // Otherwise one issuer could speak for another (Discovery, 4.3).
            if (configuration.RootElement.GetProperty("issuer").GetString() != authority)
            {
                throw new InvalidOperationException("its configuration is that of another issuer");
            }

            var address = new Uri(configuration.RootElement.GetProperty("jwks_uri").GetString()!);
            if (address.Scheme != Uri.UriSchemeHttps && !address.IsLoopback)
            {
                throw new InvalidOperationException("its keys are not at an https address");
            }

            var keys = Parse(await client.GetByteArrayAsync(address, timeout.Token));
            if (keys.Count == 0)
            {
                throw new InvalidOperationException("it has no key that counts here");
            }

            Volatile.Write(ref _keys, keys);
            _fetchedAt = time.GetTimestamp();
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException or InvalidOperationException or KeyNotFoundException or UriFormatException or ArgumentNullException
            || exception is OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            LogKept(_keys.Count, exception.Message);
        }
    }

    private static FrozenDictionary<string, OidcKey> Parse(byte[] json)
    {
        var keys = new Dictionary<string, OidcKey>(StringComparer.Ordinal);
        using var document = JsonDocument.Parse(json);
        foreach (var element in document.RootElement.GetProperty("keys").EnumerateArray())
        {
            // What we cannot use, such as a key for encryption, others may.
            if (element.ValueKind != JsonValueKind.Object || element.Deserialize<JwkModel>(JsonSerializerOptions.Web) is not { Kid: { } id } key || JwkReader.Read(key, out _) is not { } publicKey)
            {
                continue;
            }

            keys[id] = new(key.Kty == "EC", publicKey, [.. JwkReader.Algorithms.Where(algorithm => JwkReader.Fits(key, algorithm))]);
        }

        return keys.ToFrozenDictionary(StringComparer.Ordinal);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The identity provider's keys cannot be fetched, {Count} that are known count on: {Reason}")]
    private partial void LogKept(int count, string reason);
}
