using Dapper;
using FsCheck;
using FsCheck.Fluent;
using Npgsql;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Subscriptions;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

/// <summary>The life of a subscription, as a machine that random moves cannot break: neither through the service nor past it in the database.</summary>
[Collection(Beside.Name)]
public sealed class SubscriptionMachineTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private static readonly SubscriptionMove[] Moves = Enum.GetValues<SubscriptionMove>();
    private static readonly string[] States = ["pending", "active", "paused", "cancelled", "rejected"];

    private enum PlanKind
    {
        Free,
        OtherFree,
        Approved,
        OtherApproved,
        Draft,
    }

    [Fact]
    public async Task Whatever_is_done_in_whatever_order_it_is_where_the_rules_say()
    {
        await using var world = await WorldAsync();
        // A number below the moves is a move, the others ask for a plan.
        var script = Gen.Choose(0, Moves.Length + 4).ArrayOf();
        var runs = 0;
        await CheckAsync(script, async steps =>
        {
            runs++;
            var start = runs % 2 == 0 ? PlanKind.Approved : PlanKind.Free;
            var subscription = (await SubscriptionStore.InsertAsync(world.Change, new(world.Application, world.Version, world.Plans[start]))).Value;
            var model = new Model(start == PlanKind.Free ? "active" : "pending", start, null);
            foreach (var step in steps)
            {
                var before = subscription;
                var expected = step < Moves.Length ? model.After(Moves[step]) : model.AfterPlan((PlanKind)(step - Moves.Length));
                var outcome = step < Moves.Length
                    ? await SubscriptionStore.MoveAsync(world.Change, subscription.Id, Moves[step], await AnyAsync())
                    : await SubscriptionStore.ChangePlanAsync(world.Change, subscription.Id, world.Plans[(PlanKind)(step - Moves.Length)], await AnyAsync());
                Assert.Equal(expected is null, outcome.Problem is not null);
                subscription = outcome.Problem is null ? outcome.Value : before;
                model = expected ?? model;
                Assert.Equal(model, new Model(subscription.State.ToString().ToLowerInvariant(), world.KindOf(subscription.PlanId), subscription.PendingPlanId is { } waits ? world.KindOf(waits) : null));
                Assert.Equal(before.Etag + (before with { Etag = 0 } == subscription with { Etag = 0 } ? 0 : 1), subscription.Etag);
            }

            // The next script subscribes anew, which only works when this one has ended.
            await world.Change.Connection.ExecuteAsync(world.Change.Sql("delete from subscriptions where id = @Id", new { subscription.Id }));
        });
        Assert.True(runs >= 100);
    }

    [Fact]
    public async Task The_database_refuses_exactly_the_moves_that_the_service_does_not_make()
    {
        await using var world = await WorldAsync();
        foreach (var from in States)
        {
            foreach (var to in States)
            {
                var id = Guid.CreateVersion7();
                await world.Change.Connection.ExecuteAsync(world.Change.Sql(
                    "insert into subscriptions (id, application_id, version_id, plan_id, state, created_at) values (@id, @Application, @Version, @plan, 'pending', now())",
                    new { id, world.Application, world.Version, plan = world.Plans[PlanKind.Free] }));
                foreach (var step in from switch { "pending" => [], "paused" => new[] { "active", "paused" }, _ => [from] })
                {
                    await world.Change.Connection.ExecuteAsync(world.Change.Sql("update subscriptions set state = @step where id = @id", new { id, step }));
                }

                var refused = await RefusedAsync(world, "update subscriptions set state = @to where id = @id", new { id, to });
                var allowed = from == to || (from, to) is ("pending", "active" or "rejected" or "cancelled") or ("active", "paused" or "cancelled") or ("paused", "active" or "cancelled");
                Assert.True(allowed == refused is null, $"{from} -> {to}: {refused?.MessageText ?? "accepted"}");
                await world.Change.Connection.ExecuteAsync(world.Change.Sql("delete from subscriptions where id = @id", new { id }));
            }
        }
    }

    [Theory]
    [InlineData("update subscriptions set version_id = (select id from api_versions where id <> version_id limit 1)", "subscriptions_moves")]
    [InlineData("update subscriptions set application_id = gen_random_uuid()", "subscriptions_moves")]
    [InlineData("update subscriptions set pending_plan_id = plan_id", "subscriptions_pending_plan")]
    [InlineData("update subscriptions set plan_id = @draft", "subscriptions_plan_on_offer")]
    [InlineData("update subscriptions set pending_plan_id = @draft", "subscriptions_plan_on_offer")]
    [InlineData("insert into subscriptions (id, application_id, version_id, plan_id, state, created_at) select gen_random_uuid(), application_id, version_id, plan_id, 'active', now() from subscriptions", "subscriptions_one_live")]
    [InlineData("insert into subscriptions (id, application_id, version_id, plan_id, state, created_at) select gen_random_uuid(), application_id, version_id, plan_id, 'paused', now() from subscriptions", "subscriptions_moves")]
    public async Task What_no_subscription_can_be_the_database_refuses(string sql, string constraint)
    {
        await using var world = await WorldAsync();
        await SubscriptionStore.InsertAsync(world.Change, new(world.Application, world.Version, world.Plans[PlanKind.Free]));
        Assert.Equal(constraint, (await RefusedAsync(world, sql + " where application_id = @Application",
            new { world.Application, draft = world.Plans[PlanKind.Draft] }))?.ConstraintName);
    }

    /// <summary>What the rules say, written a second time.</summary>
    private sealed record Model(string State, PlanKind Plan, PlanKind? Waits)
    {
        private bool Runs => State is "active" or "paused";

        public Model? After(SubscriptionMove move) => move switch
        {
            SubscriptionMove.Approve when Waits is { } plan => this with { Plan = plan, Waits = null },
            SubscriptionMove.Reject when Waits is not null => this with { Waits = null },
            SubscriptionMove.Approve when State is "pending" or "active" => this with { State = "active" },
            SubscriptionMove.Reject when State is "pending" or "rejected" => this with { State = "rejected" },
            SubscriptionMove.Pause when Runs => this with { State = "paused" },
            SubscriptionMove.Resume when Runs => this with { State = "active" },
            SubscriptionMove.Cancel when State != "rejected" => this with { State = "cancelled", Waits = null },
            _ => null,
        };

        public Model? AfterPlan(PlanKind plan) =>
            State is "cancelled" or "rejected" ? null
            : plan == Plan ? this with { Waits = null }
            : plan == PlanKind.Draft ? null
            : plan is PlanKind.Free or PlanKind.OtherFree ? this with { State = State == "pending" ? "active" : State, Plan = plan, Waits = null }
            : Runs ? this with { Waits = plan }
            : this with { Plan = plan };
    }

    private static async Task CheckAsync(Gen<int[]> scripts, Func<int[], Task> property)
    {
        // FsCheck's own runner is synchronous; the database is not.
        foreach (var script in Gen.Sample(scripts, 120, 14).Where(static script => script.Length > 0).Concat(EveryPair()))
        {
            await property(script);
        }
    }

    /// <summary>Each move and each plan after each other one: what is rare at random is here for certain.</summary>
    private static IEnumerable<int[]> EveryPair() =>
        from first in Enumerable.Range(0, Moves.Length + 5)
        from second in Enumerable.Range(0, Moves.Length + 5)
        select new[] { first, second };

    private static async Task<IfMatch> AnyAsync()
    {
        var context = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        context.Request.Headers.IfMatch = "*";
        return (await IfMatch.BindAsync(context, null!))!;
    }

    private static async Task<PostgresException?> RefusedAsync(World world, string sql, object parameters)
    {
        await world.Change.Transaction.SaveAsync("before");
        try
        {
            await world.Change.Connection.ExecuteAsync(world.Change.Sql(sql, parameters));
            return null;
        }
        catch (PostgresException refused)
        {
            await world.Change.Transaction.RollbackAsync("before");
            return refused;
        }
    }

    private async Task<World> WorldAsync()
    {
        using var admin = fixture.Catalog.Operator();
        var parts = new Parts(admin);
        var body = await parts.BodyAsync("subscriptions");
        var plans = new Dictionary<PlanKind, Guid>();
        foreach (var kind in Enum.GetValues<PlanKind>())
        {
            var plan = await parts.BodyAsync("plans");
            plan["approvalRequired"] = kind is PlanKind.Approved or PlanKind.OtherApproved;
            plan["state"] = kind == PlanKind.Draft ? "draft" : "published";
            plans[kind] = Guid.Parse((await admin.CreateAsync("plans", plan)).Id());
        }

        var connection = new NpgsqlConnection(fixture.ConnectionString);
        await connection.OpenAsync();
        var change = new ConfigChange(connection, await connection.BeginTransactionAsync(), DateTimeOffset.FromUnixTimeSeconds(1_900_000_000), CancellationToken.None) { Caller = Caller.System };
        return new(change, Guid.Parse(body["applicationId"]!.GetValue<string>()), Guid.Parse(body["versionId"]!.GetValue<string>()), plans);
    }

    /// <summary>An application, a version and plans of every kind, in a transaction that is never committed.</summary>
    private sealed record World(ConfigChange Change, Guid Application, Guid Version, Dictionary<PlanKind, Guid> Plans) : IAsyncDisposable
    {
        public PlanKind KindOf(Guid plan) => Plans.Single(pair => pair.Value == plan).Key;

        public async ValueTask DisposeAsync()
        {
            await Change.Transaction.DisposeAsync();
            await Change.Connection.DisposeAsync();
        }
    }
}
