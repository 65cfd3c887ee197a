using System.Collections.Concurrent;
using System.Security.Cryptography;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Catalog.Tokens;

/// <summary>
/// The keys that sign access tokens. A key is published when it is made, signs when its time has come, and stays published until the last token it
/// signed has ended. Any replica signs: what a key is for is in the database, and the private part is opened once for each key.
/// </summary>
internal sealed class SigningKeys(NpgsqlDataSource database, Envelopes envelopes, IOptions<TokenOptions> options, TimeProvider time) : IDisposable
{
    /// <summary>Clocks of gateways may differ by so much from ours.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(2);

    private readonly ConcurrentDictionary<Guid, ECDsa> _opened = new();

    /// <summary>The key that signs now.</summary>
    /// <exception cref="InvalidOperationException">There is none, or its envelope does not open: the envelope key was changed.</exception>
    public async Task<(Guid Id, ECDsa Key)> CurrentAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<SealedKey>(new(
            "select id, sealed_private_key as sealed from token_keys where issuer = @Issuer and signs_from <= @now order by signs_from desc limit 1", new { options.Value.Issuer, now = time.GetUtcNow() }, cancellationToken: cancellationToken))
            ?? throw new InvalidOperationException("There is no key that signs, although start-up makes one.");
        return (row.Id, _opened.GetOrAdd(row.Id, _ => Open(row)));
    }

    /// <summary>All that are published, the oldest first.</summary>
    public async Task<IReadOnlyList<PublishedKey>> PublishedAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<PublishedKey>(new(
            "select id, public_key, created_at, signs_from from token_keys where issuer = @Issuer order by signs_from", new { options.Value.Issuer }, cancellationToken: cancellationToken))).AsList();
    }

    /// <summary>
    /// Makes the first key, the next one when its time is near, and removes those whose tokens have all ended; and what was taken back or used so long
    /// ago. Does nothing when there is nothing to do.
    /// </summary>
    /// <returns>True when it changed something.</returns>
    public async Task<bool> MaintainAsync(ConfigChange change)
    {
        var (settings, now) = (options.Value, change.Now);
        var keys = (await change.Connection.QueryAsync<PublishedKey>(change.Sql(
            "select id, public_key, created_at, signs_from from token_keys where issuer = @Issuer order by signs_from", new { settings.Issuer }))).AsList();
        var changed = 0;
        if (keys.Count == 0)
        {
            await InsertAsync(change, now);
            changed++;
        }
        else if (keys[^1].SignsFrom + settings.KeyLifetime - settings.KeyAhead <= now)
        {
            var due = keys[^1].SignsFrom + settings.KeyLifetime;
            var ready = now + settings.KeyAhead;
            await InsertAsync(change, due > ready ? due : ready);
            changed++;
        }

        // Superseded for longer than its last token lives.
        for (var i = 0; i + 1 < keys.Count; i++)
        {
            if (keys[i + 1].SignsFrom + settings.Lifetime + Skew <= now)
            {
                changed += await change.Connection.ExecuteAsync(change.Sql("delete from token_keys where id = @Id", new { keys[i].Id }));
            }
        }

        return changed + await change.Connection.ExecuteAsync(change.Sql(
            """
            delete from token_keys where issuer <> @Issuer and signs_from <= @Past; -- the issuer was renamed
            delete from token_revocations where expires_at <= @Now;
            delete from token_assertions where expires_at <= @Now;
            """, new { change.Now, settings.Issuer, Past = change.Now - settings.KeyLifetime })) > 0;
    }

    /// <summary>The next key. At once: it signs now, and the others count no more, for a key that leaked.</summary>
    public async Task<PublishedKey> RotateAsync(ConfigChange change, bool atOnce)
    {
        if (atOnce)
        {
            await change.Connection.ExecuteAsync(change.Sql("delete from token_keys where issuer = @Issuer", new { options.Value.Issuer }));
            return await InsertAsync(change, change.Now);
        }

        // One that waits already gives way: two next ones would only be in each other's way.
        await change.Connection.ExecuteAsync(change.Sql("delete from token_keys where issuer = @Issuer and signs_from > @Now", new { options.Value.Issuer, change.Now }));
        return await InsertAsync(change, change.Now + options.Value.KeyAhead);
    }

    public void Dispose()
    {
        foreach (var key in _opened.Values)
        {
            key.Dispose();
        }
    }

    private async Task<PublishedKey> InsertAsync(ConfigChange change, DateTimeOffset signsFrom)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var published = new PublishedKey(Guid.CreateVersion7(change.Now), key.ExportSubjectPublicKeyInfo(), change.Now, signsFrom);
        var pkcs8 = key.ExportPkcs8PrivateKey();
        await change.Connection.ExecuteAsync(change.Sql(
            "insert into token_keys (id, issuer, audience, public_key, sealed_private_key, created_at, signs_from) values (@Id, @Issuer, @Audience, @PublicKey, @Sealed, @CreatedAt, @SignsFrom)",
            new { published.Id, options.Value.Issuer, options.Value.Audience, published.PublicKey, Sealed = envelopes.Seal(published.Id, pkcs8), published.CreatedAt, published.SignsFrom }));
        CryptographicOperations.ZeroMemory(pkcs8);
        return published;
    }

    private ECDsa Open(SealedKey row)
    {
        var pkcs8 = envelopes.Open(row.Id, row.Sealed)
            ?? throw new InvalidOperationException("The key that signs tokens does not open with OpenPlatform:EnvelopeKey nor with the one before.");
        var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(pkcs8, out _);
        CryptographicOperations.ZeroMemory(pkcs8);
        return key;
    }

    private sealed record SealedKey(Guid Id, byte[] Sealed);
}

/// <summary>The public side of a key that signs, signed or will sign.</summary>
/// <param name="PublicKey">SubjectPublicKeyInfo of a P-256 key.</param>
internal sealed record PublishedKey(Guid Id, byte[] PublicKey, DateTimeOffset CreatedAt, DateTimeOffset SignsFrom)
{
    public JwkModel ToJwk() => ToJwk(Id, PublicKey);

    public static JwkModel ToJwk(Guid id, byte[] spki)
    {
        using var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(spki, out _);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        return new(id.ToString(), "EC", JwkReader.Es256, "P-256", System.Buffers.Text.Base64Url.EncodeToString(point.X), System.Buffers.Text.Base64Url.EncodeToString(point.Y)) { Use = "sig" };
    }
}
