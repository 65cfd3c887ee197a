using System.Net;
using System.Net.Http.Json;
using Dapper;
using Npgsql;
using OpenPlatform.Catalog.Storage;
using OpenPlatform.Tests.Catalog.Access;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog.Storage;

/// <summary>Reads by key that arrive together go in one statement, and nobody can tell.</summary>
public sealed class KeyedReadsTests(SharedPostgres postgres) : IAsyncLifetime
{
    private NpgsqlDataSource _database = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private KeyedReads<Guid, Thing> Things => new(_database, "select id, value, statement_timestamp()::text as at from things where id = any(@keys)", static (row, id) => row.Id == id);

    public async ValueTask InitializeAsync()
    {
        _database = NpgsqlDataSource.Create(await postgres.CreateDatabaseAsync());
        await ExecuteAsync("create table things (id uuid primary key, value bigint not null); insert into things select gen_random_uuid(), n from generate_series(1, 20) n");
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task Those_that_wait_while_one_is_under_way_go_in_one_statement()
    {
        var ids = (await IdsAsync())[..7];
        var things = Things;
        Task<Thing?>[] others = [];
        var first = await WhileOneIsUnderWayAsync(things, ids[0], async () =>
        {
            others = [.. ids.Select(things.FindOrNullAsync)];
            Assert.Equal(1, await WaitingForLockAsync());
        });

        var together = await Task.WhenAll(others);
        Assert.Equal(ids, together.Select(static row => row!.Id));
        Assert.Single(together.Select(static row => row!.At).Distinct());
        Assert.NotEqual(first!.At, together[0]!.At);
    }

    [Fact]
    public async Task A_second_statement_goes_when_eight_wait_and_a_third_never()
    {
        var ids = await IdsAsync();
        var things = Things;
        Task<Thing?>[] others = [];
        await WhileOneIsUnderWayAsync(things, ids[0], async () =>
        {
            others = [.. ids[..8].Select(things.FindOrNullAsync)];
            await Eventually.TrueAsync(async () => await WaitingForLockAsync() == 2);
            others = [.. others, .. ids[8..].Select(things.FindOrNullAsync)];
            Assert.Equal(2, await WaitingForLockAsync());
        });

        var found = await Task.WhenAll(others);
        Assert.Equal(ids, found.Select(static row => row!.Id));
        Assert.Equal([8, 12], found.GroupBy(static row => row!.At).Select(static statement => statement.Count()).Order());
    }

    [Fact]
    public async Task Nobody_reads_what_was_before_his_own_write()
    {
        var ids = await IdsAsync();
        var things = Things;
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var crowd = Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                await things.FindOrNullAsync(ids[0]);
            }
        }, Stop)).ToList();
        for (var value = 100L; value < 400; value++)
        {
            await ExecuteAsync($"update things set value = {value}");
            Assert.Equal(value, (await things.FindOrNullAsync(ids[0]))!.Value);
        }

        await done.CancelAsync();
        await Task.WhenAll(crowd);
    }

    [Fact]
    public async Task What_is_not_there_is_null_for_who_asked_for_it_and_for_nobody_else()
    {
        var ids = await IdsAsync();
        var things = Things;
        var asked = Enumerable.Range(0, 200).Select(n => (Id: n % 3 == 0 ? Guid.NewGuid() : ids[n % ids.Length], IsThere: n % 3 != 0)).ToList();
        var found = await Task.WhenAll(asked.Select(one => things.FindOrNullAsync(one.Id)));
        Assert.Equal(asked.Select(static one => one.IsThere ? one.Id : (Guid?)null), found.Select(static row => row?.Id));
    }

    [Fact]
    public async Task A_statement_that_fails_fails_for_all_of_it_and_the_next_is_tried_anew()
    {
        var ids = await IdsAsync();
        var things = Things;
        await ExecuteAsync("alter table things rename to elsewhere");
        foreach (var read in ids.Select(things.FindOrNullAsync).ToList())
        {
            Assert.Equal(PostgresErrorCodes.UndefinedTable, (await Assert.ThrowsAsync<PostgresException>(() => read)).SqlState);
        }

        await ExecuteAsync("alter table elsewhere rename to things");
        Assert.Equal(ids[0], (await things.FindOrNullAsync(ids[0]))!.Id);
    }

    [Fact]
    public async Task A_partner_whose_read_goes_with_an_operators_gets_nothing_of_anybody_elses()
    {
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync());
        await catalog.ReadyAsync();
        using var admin = catalog.Operator();
        var parts = new Parts(admin);
        var subscription = await admin.CreateAsync("subscriptions", await parts.BodyAsync("subscriptions"));
        var application = subscription["applicationId"]!.GetValue<string>();
        var credential = (await admin.CreateAsync("credentials", new { applicationId = application })).Id();
        var organization = (await admin.GetFromJsonAsync<System.Text.Json.Nodes.JsonObject>($"/admin/v1/applications/{application}", Stop))!["organizationId"]!.GetValue<string>();
        using var stranger = catalog.With((await admin.TokenAsync("developer", await parts.NewAsync("organizations"))).Token);
        foreach (var path in new[] { $"organizations/{organization}", $"applications/{application}", $"credentials/{credential}", $"subscriptions/{subscription.Id()}" })
        {
            var statuses = await Task.WhenAll(Enumerable.Range(0, 100).Select(async n =>
            {
                using var response = await (n % 2 == 0 ? admin : stranger).GetAsync($"/admin/v1/{path}", Stop);
                return response.StatusCode;
            }));
            Assert.Equal(Enumerable.Range(0, 100).Select(static n => n % 2 == 0 ? HttpStatusCode.OK : HttpStatusCode.NotFound), statuses);
        }
    }

    /// <summary>What the first read found, which waits for the table until <paramref name="act"/> is through.</summary>
    private async Task<Thing?> WhileOneIsUnderWayAsync(KeyedReads<Guid, Thing> things, Guid id, Func<Task> act)
    {
        Task<Thing?> first;
        await using (var connection = await _database.OpenConnectionAsync(Stop))
        {
            await using var held = await connection.BeginTransactionAsync(Stop);
            await connection.ExecuteAsync("lock table things in access exclusive mode", transaction: held);
            first = things.FindOrNullAsync(id);
            await Eventually.TrueAsync(async () => await WaitingForLockAsync() == 1);
            await act();
            await held.CommitAsync(Stop);
        }

        return await first;
    }

    private async Task<Guid[]> IdsAsync()
    {
        await using var connection = await _database.OpenConnectionAsync(Stop);
        return [.. await connection.QueryAsync<Guid>("select id from things order by value")];
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Stop);
    }

    /// <summary>Sessions of this database that wait for a table.</summary>
    private async Task<int> WaitingForLockAsync()
    {
        await using var command = _database.CreateCommand("select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'");
        return (int)(await command.ExecuteScalarAsync(Stop))!;
    }

    private sealed record Thing(Guid Id, long Value, string At);
}
