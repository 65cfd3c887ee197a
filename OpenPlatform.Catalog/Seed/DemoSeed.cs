using Dapper;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Apis;
using OpenPlatform.Catalog.Applications;
using OpenPlatform.Catalog.Backends;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Catalog.Organizations;
using OpenPlatform.Catalog.Plans;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Subscriptions;

namespace OpenPlatform.Catalog.Seed;

/// <summary>
/// What makes the first call work in Development: the Orders sample published, and an application that is subscribed and holds
/// <c>OpenPlatform:DemoKey</c>. One change, so replicas that start together seed once; what is there already is left alone.
/// </summary>
internal sealed class DemoSeed(ConfigChanges changes, IOptions<CatalogOptions> options) : Storage.IStartupWork
{
    private const string KeyName = "demo key of Development";

    // As the sample names them in its own OpenAPI document.
    private static readonly OperationRequest[] OrdersOperations =
    [
        new("listOrders", "GET", "/orders"),
        new("getOrder", "GET", "/orders/{id}"),
        new("createOrder", "POST", "/orders"),
        new("slow", "GET", "/slow"),
        new("error", "GET", "/error"),
    ];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var outcome = await changes.ApplyAsync(SeedAsync, cancellationToken);
        if (outcome.Problem is { } problem)
        {
            throw new InvalidOperationException($"The demo could not be seeded: {string.Join("; ", problem.Errors.Select(static e => $"{e.Pointer} {e.Detail}"))}");
        }
    }

    private async Task<Outcome<bool>> SeedAsync(ConfigChange change)
    {
        var backend = await EnsureAsync(change, "select id from backends where name = 'orders'",
            () => BackendStore.InsertAsync(change, new BackendRequest("orders", "orders").Check().Value));
        await EnsureAsync(change, "select id from apis where name = 'orders'",
            () => ApiStore.InsertAsync(change, new ApiRequest("orders", "v1", "/orders/v1", backend, OrdersOperations).Check().Value));
        var plan = await EnsureAsync(change, "select id from plans where name = 'demo'",
            () => PlanStore.InsertAsync(change, new("demo", ApprovalRequired: false, [new(100_000, 60)])));
        await EnsureAsync(change, "select id from plans where name = 'trial'",
            () => PlanStore.InsertAsync(change, new("trial", ApprovalRequired: false, [new(5, 60)])));
        var organization = await EnsureAsync(change, "select id from organizations where name = 'Demo partner'",
            () => OrganizationStore.InsertAsync(change, new("Demo partner")));
        var application = await EnsureAsync(change, "select id from applications where name = 'demo-app' and organization_id = @organization",
            () => ApplicationStore.InsertAsync(change, new(organization, "demo-app")), new { organization });

        var version = await change.Connection.ExecuteScalarAsync<Guid?>(change.Sql(
            "select v.id from api_versions v join apis a on a.id = v.api_id where a.name = 'orders' and v.version = 'v1'"));
        if (version is not null)
        {
            await EnsureAsync(change, "select id from subscriptions where application_id = @application and version_id = @version limit 1",
                () => SubscriptionStore.InsertAsync(change, new(application, version, plan)), new { application, version });
        }

        if (options.Value.DemoKey.Length > 0)
        {
            await ReplaceKeyAsync(change, application, options.Value.DemoKey);
        }

        return true;
    }

    private static async Task<Guid> EnsureAsync<T>(ConfigChange change, string find, Func<Task<Outcome<T>>> insert, object? parameters = null)
        where T : ICatalogResource =>
        await change.Connection.ExecuteScalarAsync<Guid?>(change.Sql(find, parameters)) ?? (await insert()).Value.Id;

    /// <summary>Makes the configured key the only live one of those that were seeded before it.</summary>
    private async Task ReplaceKeyAsync(ConfigChange change, Guid application, string key)
    {
        var hash = GeneratedSecret.Hash(options.Value.KeyPepperBytes, key);
        await change.Connection.ExecuteAsync(change.Sql(
            """
            update credentials set revoked_at = greatest(@Now, created_at), etag = etag + 1
            where application_id = @application and name = @KeyName and hash <> @hash and revoked_at is null;

            -- Revoked is for good. Somebody who comes back to an old key of the demo gets a new credential of it.
            delete from credential_uses where credential_id in (select id from credentials where application_id = @application and name = @KeyName and hash = @hash and revoked_at is not null);
            delete from credentials where application_id = @application and name = @KeyName and hash = @hash and revoked_at is not null;

            insert into credentials (id, application_id, name, hash, prefix, created_at) values (@id, @application, @KeyName, @hash, @prefix, @Now)
            on conflict (hash) do nothing;
            """,
            new { application, hash, KeyName, id = Guid.CreateVersion7(change.Now), prefix = GeneratedSecret.Shown(key), change.Now }));
    }
}
