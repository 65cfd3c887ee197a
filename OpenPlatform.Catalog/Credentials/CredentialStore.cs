using System.Text.Json.Nodes;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Credentials;

internal sealed class CredentialStore(NpgsqlDataSource database)
{
    /// <summary>Live ones of an application and type, at most; the database holds it too.</summary>
    public const int MostLive = 5;

    // Never the hash nor the key: nobody outside needs them.
    private const string Columns =
        """
        c.id, c.application_id, (select organization_id from applications where id = c.application_id) as organization_id, c.type, c.name, c.prefix, c.key_id, c.algorithm, encode(c.thumbprint, 'hex') as thumbprint, c.replaces,
        c.created_at, c.expires_at, c.revoked_at, (select last_used_on from credential_uses where credential_id = c.id) as last_used_on, c.etag
        """;

    private const string Own = "c.application_id in (select id from applications where organization_id = @OrganizationId)";

    internal const string ById = $"select {Columns} from credentials c where c.id = any(@keys)";

    private readonly KeyedReads<Guid, Row> _byId = new(database, ById, static (row, id) => row.Id == id);

    /// <param name="caller">Sees those of its organization.</param>
    public async Task<Credential?> FindOrNullAsync(Caller caller, Guid id) =>
        await _byId.FindOrNullAsync(id) is { } row && caller.Sees(row.OrganizationId) ? row.ToCredential() : null;

    /// <param name="caller">Sees those of its organization.</param>
    /// <param name="application">Only those of this application; null: all.</param>
    public async Task<IReadOnlyList<Credential>> ListAsync(Caller caller, Guid? application, PageStart page, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var rows = await connection.QueryAsync<Row>(new(
            ListSql(application, caller), new { application, caller.OrganizationId, page.After, page.Fetch }, cancellationToken: cancellationToken));
        return [.. rows.Select(static row => row.ToCredential())];
    }

    /// <summary>The statement of a list; conditions that are not asked for are not in it, so that each has the index it needs.</summary>
    internal static string ListSql(Guid? application, Caller caller)
    {
        var ofApplication = application is null ? "" : "c.application_id = @application and ";
        var own = caller.OrganizationId is null ? "" : Own + " and ";
        return $"select {Columns} from credentials c where {ofApplication}{own}c.id > @After order by c.id limit @Fetch";
    }

    /// <summary>The new credential with what is shown once; 422 for an unknown application, a conflict when there are too many or it is taken.</summary>
    public static async Task<Outcome<IssuedCredential>> InsertAsync(ConfigChange change, NewCredential credential, Guid? replaces = null)
    {
        var organization = await change.Connection.ExecuteScalarAsync<Guid?>(change.Sql("select organization_id from applications where id = @ApplicationId", new { credential.ApplicationId }));
        if (organization is null || !change.Caller.Sees(organization.Value))
        {
            return CatalogProblem.Invalid(new ProblemError("/applicationId", $"names no application: {credential.ApplicationId}"));
        }

        var (material, type) = (credential.Material, NameOf(credential.Type));
        var taken = await change.Connection.QuerySingleAsync<Taken>(change.Sql(
            """
            select (select count(*)::int from credentials
                    where application_id = @ApplicationId and type = @type and revoked_at is null and (expires_at is null or expires_at > @Now)) as live,
                   exists (select from credentials where hash = @Hash) as hash,
                   exists (select from credentials where key_id = @KeyId) as key_id,
                   exists (select from credentials where thumbprint = @Thumbprint and revoked_at is null) as thumbprint
            """, new { credential.ApplicationId, type, material.Hash, material.KeyId, material.Thumbprint, change.Now }));
        if (taken.Live >= MostLive || taken.Hash || taken.KeyId || taken.Thumbprint)
        {
            // Also one that was revoked: what leaked once does not come back.
            return taken.Hash ? CatalogProblem.Conflict("/key", "belongs to another credential already, or to one that was revoked; take another key")
                : taken.KeyId ? CatalogProblem.Conflict("/keyId", "belongs to another credential already")
                : taken.Thumbprint ? CatalogProblem.Conflict("/certificate", "belongs to another credential already; revoke that first")
                : CatalogProblem.Conflict("/applicationId", $"has {MostLive} live credentials of type {type} already; revoke one first");
        }

        await change.Connection.ExecuteAsync(change.Sql(
            """
            insert into credentials (id, application_id, type, name, hash, prefix, key_id, algorithm, key, thumbprint, replaces, created_at, expires_at)
            values (@Id, @ApplicationId, @type, @Name, @Hash, @Prefix, @KeyId, @Algorithm, @Key, @Thumbprint, @replaces, @Now, @ExpiresAt)
            """,
            new
            {
                credential.Id, credential.ApplicationId, type, credential.Name, material.Hash, material.Prefix, material.KeyId, material.Algorithm, material.Key,
                material.Thumbprint, replaces, change.Now, credential.ExpiresAt,
            }));
        var stored = await change.Connection.QuerySingleAsync<Row>(change.Sql($"select {Columns} from credentials c where c.id = @Id", new { credential.Id }));
        Emit(change, stored.ToCredential(), organization.Value, replaces is null ? "issued" : "rotated");
        var isKey = credential.Type == CredentialType.ApiKey;
        return new IssuedCredential(stored.ToCredential()) { Key = isKey ? material.Generated : null, Secret = isKey ? null : material.Generated };
    }

    /// <summary>
    /// Stores credentials of applications that have none yet, in one statement. Gives those that it left out, because what they are known by is taken or
    /// there would be too many: one by one <see cref="InsertAsync"/> says why.
    /// </summary>
    /// <param name="organizations">Whose the applications are.</param>
    public static async Task<IReadOnlySet<NewCredential>> InsertAllAsync(ConfigChange change, IReadOnlyList<NewCredential> credentials, IReadOnlyDictionary<Guid, Guid> organizations)
    {
        var taken = (await change.Connection.QueryAsync<string>(change.Sql(
            """
            select encode(hash, 'hex') from credentials where hash in (select decode(h, 'hex') from unnest(@Hashes) h)
            union all select key_id from credentials where key_id = any(@KeyIds)
            union all select encode(thumbprint, 'hex') from credentials where thumbprint in (select decode(t, 'hex') from unnest(@Thumbprints) t) and revoked_at is null
            """,
            new
            {
                Hashes = credentials.Select(static c => Hex(c.Material.Hash)).OfType<string>().ToArray(), KeyIds = credentials.Select(static c => c.Material.KeyId).OfType<string>().ToArray(),
                Thumbprints = credentials.Select(static c => Hex(c.Material.Thumbprint)).OfType<string>().ToArray(),
            }))).ToHashSet(StringComparer.Ordinal);
        var live = new Dictionary<(Guid, CredentialType), int>();
        var keys = new HashSet<(Guid, string)>();
        var left = new HashSet<NewCredential>(ReferenceEqualityComparer.Instance);
        var stored = new List<NewCredential>();
        foreach (var credential in credentials)
        {
            var (material, kind) = (credential.Material, (credential.ApplicationId, credential.Type));
            // Taken from here on, also by those that follow in the list. A public key may be of several applications, and of one only once.
            string[] known = [.. new[] { Hex(material.Hash), material.KeyId, Hex(material.Thumbprint) }.OfType<string>()];
            var isNew = live.GetValueOrDefault(kind) < MostLive && !known.Any(taken.Contains) && (material.Key is null || keys.Add((credential.ApplicationId, credential.Type + Hex(material.Key))));
            if (!isNew)
            {
                left.Add(credential);
                continue;
            }

            taken.UnionWith(known);
            live[kind] = live.GetValueOrDefault(kind) + 1;
            stored.Add(credential);
        }

        if (stored.Count == 0)
        {
            return left;
        }

        var rows = new JsonArray([.. stored.Select(static c => (JsonNode)new JsonObject
        {
            ["id"] = c.Id, ["application_id"] = c.ApplicationId, ["type"] = NameOf(c.Type), ["name"] = c.Name, ["hash"] = Hex(c.Material.Hash), ["prefix"] = c.Material.Prefix,
            ["key_id"] = c.Material.KeyId, ["algorithm"] = c.Material.Algorithm, ["key"] = Hex(c.Material.Key), ["thumbprint"] = Hex(c.Material.Thumbprint), ["expires_at"] = c.ExpiresAt,
        })]);
        var inserted = (await change.Connection.QueryAsync<Row>(change.Sql(
            $"""
            insert into credentials (id, application_id, type, name, hash, prefix, key_id, algorithm, key, thumbprint, created_at, expires_at)
            select id, application_id, type, name, decode(hash, 'hex'), prefix, key_id, algorithm, decode(key, 'hex'), decode(thumbprint, 'hex'), @Now, expires_at
            from jsonb_to_recordset(@Rows::jsonb) as row (
                id uuid, application_id uuid, type text, name text, hash text, prefix text, key_id text, algorithm text, key text, thumbprint text, expires_at timestamptz);

            select {Columns} from credentials c where c.id = any(@Ids);
            """, new { Rows = rows.ToJsonString(), change.Now, Ids = stored.Select(static c => c.Id).ToArray() }))).ToDictionary(static row => row.Id, static row => row.ToCredential());
        foreach (var credential in stored)
        {
            Emit(change, inserted[credential.Id], organizations[credential.ApplicationId], "issued");
        }

        return left;

        static string? Hex(byte[]? bytes) => bytes is null ? null : Convert.ToHexStringLower(bytes);
    }

    /// <summary>The credential that takes the place of another, which ends after the overlap; a conflict when that has ended.</summary>
    /// <param name="make">Makes the new one from the old one.</param>
    public static async Task<Outcome<IssuedCredential>> RotateAsync(
        ConfigChange change, Guid id, IfMatch ifMatch, TimeSpan overlap, Func<Credential, Outcome<NewCredential>> make)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null)
        {
            return found.Problem;
        }

        var old = found.Value;
        if (old.RevokedAt is not null || old.ExpiresAt <= change.Now)
        {
            return CatalogProblem.Conflict("", "it has ended; create a new one");
        }

        var next = make(old);
        if (next.Problem is not null)
        {
            return next.Problem;
        }

        // Expired rows cannot be written in the past of their creation: without overlap the old one is revoked.
        await change.Connection.ExecuteAsync(change.Sql(
            overlap == TimeSpan.Zero
                ? "update credentials set revoked_at = greatest(@Now, created_at), etag = etag + 1 where id = @id"
                : "update credentials set expires_at = least(expires_at, greatest(@Ends, created_at + interval '1 second')), etag = etag + 1 where id = @id",
            new { id, change.Now, Ends = change.Now + overlap }));
        return await InsertAsync(change, next.Value, replaces: id);
    }

    /// <summary>The revoked credential; revoking again changes nothing.</summary>
    public static async Task<Outcome<Credential>> RevokeAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var found = await LockAsync(change, id, ifMatch);
        if (found.Problem is not null || found.Value.RevokedAt is not null)
        {
            return found;
        }

        var row = await change.Connection.QuerySingleAsync<Row>(change.Sql(
            $"update credentials c set revoked_at = greatest(@Now, created_at), etag = etag + 1 where c.id = @id returning {Columns}", new { id, change.Now }));
        var revoked = row.ToCredential();
        Emit(change, revoked, row.OrganizationId, "revoked");
        return revoked;
    }

    private static async Task<Outcome<Credential>> LockAsync(ConfigChange change, Guid id, IfMatch ifMatch)
    {
        var row = await change.Connection.QuerySingleOrDefaultAsync<Row>(change.Sql($"select {Columns} from credentials c where c.id = @id for update of c", new { id }));
        return row is null || !change.Caller.Sees(row.OrganizationId) ? CatalogProblem.NotFound("credential", id)
            : ifMatch.Check(row.Etag) is { } problem ? problem
            : row.ToCredential();
    }

    private static void Emit(ConfigChange change, Credential credential, Guid organization, string what) =>
        change.Emit($"openplatform.credential.{what}", $"credentials/{credential.Id}", credential, organization);

    /// <summary>As the database writes it.</summary>
    public static string NameOf(CredentialType type) => type switch
    {
        CredentialType.ApiKey => "api-key",
        CredentialType.Hmac => "hmac",
        CredentialType.PublicKey => "public-key",
        CredentialType.Certificate => "certificate",
        CredentialType.ClientSecret => "client-secret",
        _ => "client-key",
    };

    private sealed record Taken(int Live, bool Hash, bool KeyId, bool Thumbprint);

    private sealed record Row(
        Guid Id, Guid ApplicationId, Guid OrganizationId, string Type, string Name, string? Prefix, string? KeyId, string? Algorithm, string? Thumbprint, Guid? Replaces,
        DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt, DateOnly? LastUsedOn, long Etag)
    {
        public Credential ToCredential() => new(
            Id, ApplicationId, Enum.GetValues<CredentialType>().First(type => NameOf(type) == Type), Name, Prefix, KeyId, Algorithm, Thumbprint, Replaces,
            CreatedAt, ExpiresAt, RevokedAt, LastUsedOn, Etag);
    }
}
