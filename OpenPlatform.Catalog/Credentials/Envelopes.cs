using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Credentials;

/// <summary>Closes secrets that must be had in clear (HMAC keys, the keys that sign tokens) under the deployment's envelope key.</summary>
internal sealed class Envelopes : IDisposable
{
    private readonly SecretEnvelope? _current;
    private readonly SecretEnvelope? _previous;

    public Envelopes(IOptions<CatalogOptions> options)
    {
        _current = Of(options.Value.EnvelopeKey);
        _previous = Of(options.Value.PreviousEnvelopeKey);
    }

    /// <summary>False: no envelope key is set, and nothing can be closed.</summary>
    public bool CanSeal => _current is not null;

    /// <param name="id">What the secret belongs to; needed to open it.</param>
    /// <exception cref="InvalidOperationException">No envelope key is set.</exception>
    public byte[] Seal(Guid id, ReadOnlySpan<byte> secret) =>
        (_current ?? throw new InvalidOperationException("OpenPlatform:EnvelopeKey is not set.")).Seal(id, secret);

    /// <summary>The secret, or null when neither the key nor the one before opens it.</summary>
    public byte[]? Open(Guid id, ReadOnlySpan<byte> @sealed) => _current?.Open(id, @sealed) ?? _previous?.Open(id, @sealed);

    public void Dispose()
    {
        _current?.Dispose();
        _previous?.Dispose();
    }

    private static SecretEnvelope? Of(string key) => key.Length == 0 ? null : SecretEnvelope.FromBase64(key);
}
