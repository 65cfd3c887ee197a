using OpenPlatform.Catalog;
using OpenPlatform.Catalog.Accounts;
using OpenPlatform.Catalog.Apis;
using OpenPlatform.Catalog.Applications;
using OpenPlatform.Catalog.Audit;
using OpenPlatform.Catalog.Backends;
using OpenPlatform.Catalog.Changes;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Catalog.Gateways;
using OpenPlatform.Catalog.Idempotency;
using OpenPlatform.Catalog.Jobs;
using OpenPlatform.Catalog.Organizations;
using OpenPlatform.Catalog.Plans;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Security.Oidc;
using OpenPlatform.Catalog.Seed;
using OpenPlatform.Catalog.Snapshots;
using OpenPlatform.Catalog.Storage;
using OpenPlatform.Catalog.Subscriptions;
using OpenPlatform.Catalog.Tokens;
using OpenPlatform.Catalog.Usage;
using OpenPlatform.Catalog.Webhooks;
using OpenPlatform.ServiceDefaults.Deployment;

ServiceStart.Prepare(typeof(CatalogApp).Assembly);
var builder = WebApplication.CreateBuilder(args);
builder.WebHost.UseSockets(static sockets => sockets.UnsafePreferInlineScheduling = true); // a request goes on where it was read
builder.AddServiceDefaults();                   // telemetry, health, discovery
builder.AddRequestTraces();                     // trace ids where they are needed
builder.AddRedisClient("redis");                // revisions are announced there

builder.Services
    .AddCatalogOptions()                        // tokens and pepper, checked at start
    .AddProblems()                              // RFC 9457 for whatever goes wrong
    .AddAccess()                                // roles, gateways, nobody else
    .AddAccounts()                              // machines by token, people by password
    .AddOidc()                                  // people by the identity provider
    .AddStorage()                               // Postgres and its migrations
    .AddSnapshots()                             // one change, one revision
    .AddGateways()                              // what each of them runs
    .AddSingleton<ApiStore>()
    .AddSingleton<RevisionStore>()
    .AddSingleton<LifecycleStore>()
    .AddSingleton<BackendStore>()
    .AddSingleton<PlanStore>()
    .AddSingleton<OrganizationStore>()
    .AddSingleton<ApplicationStore>()
    .AddCredentials()                           // and the envelope of secrets
    .AddSingleton<SubscriptionStore>()
    .AddTokens()                                // OAuth 2.0 client credentials
    .AddSingleton<AuditStore>()
    .AddUsage()                                 // intake, sums by hour, proof
    .AddWebhooks()                              // events leave
    .AddJobs()                                  // leader-only work
    .AddSingleton<AuditedWrites>()
    .AddIdempotency()                           // a repeated POST is answered, not done again
    .AddChangesets()
    .AddSingleton<IDeclaredKind, DeclaredOrganizations>()
    .AddSingleton<IDeclaredKind, DeclaredBackends>()
    .AddSingleton<IDeclaredKind, DeclaredPlans>()
    .AddSingleton<IDeclaredKind, DeclaredApplications>()
    .AddSingleton<IDeclaredKind, DeclaredApis>()
    .AddAdminDocument();                        // OpenAPI
if (builder.Environment.IsDevelopment())
{
    builder.Services.AddSingleton<IStartupWork, DemoSeed>();
}

var app = builder.Build();
if (MigrateCommand.IsAsked(args))
{
    return await MigrateCommand.RunAsync(app.Services, Console.Error);
}

if (VerifyAuditCommand.IsAsked(args))
{
    return await VerifyAuditCommand.RunAsync(args, app.Services, Console.Out, Console.Error);
}

app.UseRequestTraces();                         // what is audited, answered and logged names one trace
app.UseProblems();                              // unexpected                       -> 500, database away -> 503
app.UseOptionalBodies();                        // what may be absent is
app.UseRouting();
app.UseDirectCallersOnly("/internal");          // came through a proxy             -> 404
app.UseAccess();                                // no token -> 401, not one's role  -> 403
app.UseStorageGate();                           // no database yet                  -> 503
app.UseIdempotency("/admin");                   // another body -> 422, still running -> 409

var admin = app.MapGroup("/admin/v1").RequireStorage();
admin.MapApis();
admin.MapBackends();
admin.MapConfigRevisions();
admin.MapGateways();
admin.MapPlans();
admin.MapOrganizations();
admin.MapApplications();
admin.MapCredentials();
admin.MapSubscriptions();
admin.MapTokenKeys();
admin.MapUsage();
admin.MapAudit();
admin.MapAccessTokens();
admin.MapAccounts();
admin.MapJobs();
admin.MapChangesets();
admin.MapWebhooks();

var gateways = app.MapGroup("").ForGateways().RequireStorage().ExcludeFromDescription();
gateways.MapSnapshots();
gateways.MapAcknowledgements();
gateways.MapUsageIntake();
gateways.MapCredentialUses();

app.MapTokens();                                // who asks proves itself in the request
app.MapOpenApi().AllowAnonymous();
app.MapDefaultEndpoints();

var storage = app.Services.GetRequiredService<StorageState>();
await app.RunServiceAsync();
return storage.HasFailed ? 1 : 0;
