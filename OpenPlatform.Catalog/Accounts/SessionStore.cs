using System.Security.Cryptography;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Audit;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Accounts;

/// <summary>Logins: attempts, which get slower with every wrong one, and the sessions that right ones begin.</summary>
internal sealed class SessionStore(NpgsqlDataSource database, TimeProvider time)
{
    /// <summary>How long a session lasts.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    /// <summary>Wrong passwords in a row that cost nothing.</summary>
    public const int FreeFailures = 5;

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(15);

    private readonly KeyedReads<byte[], Known> _byHash = new(database,
        """
        select a.name, a.roles, a.organization_id, s.hash, s.expires_at from sessions s join accounts a on a.id = s.account_id
        where s.hash = any(@keys) and not a.disabled
        """, static (row, hash) => CryptographicOperations.FixedTimeEquals(row.Hash, hash));

    /// <summary>
    /// Counts an attempt as failed before it is looked at, so that many at once are no way around. Null when it may be looked at,
    /// otherwise how long to wait.
    /// </summary>
    public async Task<TimeSpan?> BeginAttemptAsync(string name, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var failures = await connection.ExecuteScalarAsync<int?>(new(
            """
            delete from login_attempts where name in (select name from login_attempts where last_at < @Old limit 10 for update skip locked);

            insert into login_attempts as a (name, failures, last_at) values (@name, 1, @now)
            on conflict (name) do update set failures = a.failures + 1, last_at = @now
                where a.failures < @FreeFailures or a.last_at + least(@Longest, interval '1 second' * power(2, least(a.failures - @FreeFailures, 20))) <= @now
            returning failures;
            """, new { name, now, Old = now - TimeSpan.FromDays(1), FreeFailures, Longest = LongestPause }, cancellationToken: cancellationToken));
        if (failures is not null)
        {
            return null;
        }

        var (count, last) = await connection.QuerySingleOrDefaultAsync<(int, DateTime)>(new("select failures, last_at from login_attempts where name = @name", new { name }, cancellationToken: cancellationToken));
        var pause = TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, Math.Pow(2, Math.Min(count - FreeFailures, 20))));
        return TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling((last + pause - now.UtcDateTime).TotalSeconds)));
    }

    /// <summary>The account of this name and its password, or null.</summary>
    public async Task<(Guid Id, PasswordHash Password)?> FindOrNullAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var row = await connection.QuerySingleOrDefaultAsync<Password>(new(
            "select id, password_hash, password_salt, password_iterations from accounts where name = @name and not disabled", new { name }, cancellationToken: cancellationToken));
        return row is null ? null : (row.Id, new PasswordHash(row.PasswordHash, row.PasswordSalt, row.PasswordIterations));
    }

    /// <summary>
    /// Begins a session and forgets the attempts before it; null when the account has another password by now or may not come in any more: whoever changes
    /// that ends its sessions, and this one would have come just after.
    /// </summary>
    /// <param name="password">What was compared.</param>
    public async Task<Session?> BeginOrNullAsync(string name, Guid account, PasswordHash password, byte[] pepper, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var session = new Session(BearerSecret.Create(BearerSecret.SessionPrefix), now + Lifetime);
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await AuditStore.SetActorAsync(connection, transaction, new Caller($"account:{name}", [], null), cancellationToken);
        if (!await connection.ExecuteScalarAsync<bool>(new(
            "select true from accounts where id = @account and not disabled and password_hash = @Hash and password_salt = @Salt for share",
            new { account, password.Hash, password.Salt }, transaction, cancellationToken: cancellationToken)))
        {
            return null;
        }

        await connection.ExecuteAsync(new(
            """
            delete from sessions where hash in (select hash from sessions where expires_at < @now limit 10 for update skip locked);
            delete from login_attempts where name = @name;
            insert into sessions (hash, account_id, created_at, expires_at) values (@hash, @account, @now, @ExpiresAt);
            """, new { name, account, now, hash = BearerSecret.HashOrNull(pepper, session.Token), session.ExpiresAt }, transaction, cancellationToken: cancellationToken));
        await transaction.CommitAsync(cancellationToken);
        return session;
    }

    /// <summary>Whom a session is of, or null when it does not count.</summary>
    public async Task<Caller?> CallerOrNullAsync(byte[] hash, DateTimeOffset now) =>
        await _byHash.FindOrNullAsync(hash) is { } row && row.ExpiresAt > now ? new($"account:{row.Name}", RoleNames.Roles(row.Roles), row.OrganizationId) : null;

    public async Task EndAsync(byte[] hash, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new("delete from sessions where hash = @hash", new { hash }, cancellationToken: cancellationToken));
    }

    public static Task EndAllAsync(ConfigChange change, Guid account) =>
        change.Connection.ExecuteAsync(change.Sql("delete from sessions where account_id = @account", new { account }));

    private sealed record Password(Guid Id, byte[] PasswordHash, byte[] PasswordSalt, int PasswordIterations);

    private sealed record Known(string Name, string[] Roles, Guid? OrganizationId, byte[] Hash, DateTimeOffset ExpiresAt);
}
