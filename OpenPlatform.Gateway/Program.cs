using OpenPlatform.Gateway;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authorization;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Degradation;
using OpenPlatform.Gateway.Forwarding;
using OpenPlatform.Gateway.Framing;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.Gateway.Lifecycle;
using OpenPlatform.Gateway.Limits;
using OpenPlatform.Gateway.Mocks;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Gateway.PrivatePort;
using OpenPlatform.Gateway.Protection;
using OpenPlatform.Gateway.Protection.Bodies;
using OpenPlatform.Gateway.Protocols;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Routing;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Gateway.Splits;
using OpenPlatform.Gateway.StandAlone;
using OpenPlatform.Gateway.State;
using OpenPlatform.Gateway.Usage;
using OpenPlatform.Gateway.Warmup;
using OpenPlatform.ServiceDefaults.Deployment;

ServiceStart.Prepare(typeof(GatewayApp).Assembly);
if (GatewayCommand.Answer(args, Console.Out) is { } exitCode)
{
    return exitCode;
}

InlineScheduling.Prepare();
var builder = WebApplication.CreateBuilder(args);

builder.AddServiceDefaults();
builder.AddQuietLogs();
builder.AddOptionalRedis();
builder.Services.AddSingleton<StateDirectory>();
builder.Services.AddFramingGuard();
builder.Services.AddProtocols();
builder.Services.AddRequestContext();
builder.Services.AddSingleton<GatewayMetrics>().AddSingleton<RefusalWriter>();
builder.Services.AddAuthenticationSchemes();
builder.Services.AddProtection();
builder.Services.AddRateLimits();
builder.Services.AddInstances();
if (builder.Configuration.SnapshotFile() is { } file)
{
    builder.AddStandAlone(file);
}
else
{
    SharedSecrets.Require(builder.Configuration);
    builder.AddSnapshots();
    builder.Services.AddSingleton<UsageSpool>().AddHostedService<UsageShipper>();
}

builder.AddForwarding();
builder.Services.AddObservability();
builder.Services.AddPrivatePort();
builder.Services.AddWarmup();

var app = builder.Build();
var snapshots = app.Services.GetRequiredService<ActiveSnapshot>();

// Top to bottom is the order in which a request meets the steps; the right column is how it may end there.
app.UseWhen(context => !RequestContext.IsProbe(context, snapshots), static pipeline => pipeline.UseObserved(static steps =>
{
    steps.Use<RequestContextMiddleware>();       // the snapshot in force                    -> 503
    steps.Use<FramingMiddleware>();              // what others could read differently       -> 400, 431
    steps.Use<RouteMiddleware>();                // path + method -> operation               -> 404, 405
    steps.Use<ProtectionMiddleware>();           // CORS preflight, headers of the answer     -> 204, 403
    steps.Use<LifecycleMiddleware>();            // deprecated, blocked, retired              -> 410, 503
    steps.Use<AuthenticationMiddleware>();       // key, token, signature, certificate       -> 401
    steps.Use<AuthorizationMiddleware>();        // subscription, plan, scope, where from, once -> 401, 403
    steps.Use<RateLimitMiddleware>();            // tokens borrowed ahead of need            -> 429
    steps.Use<RequestBodyMiddleware>();          // size, type, digest, schema               -> 400, 413, 415, 422
    steps.Use<MockMiddleware>();                 // an example in place of the backend
    steps.UseUsage();                                      // counts what the backend answers
    steps.Use<SplitMiddleware>();                // which backend of the API
    steps.Use<CacheMiddleware>();                // opt-in answers from memory               -> 200, 304
    steps.Use<ForwardingMiddleware>();           // doors, instance pick, try another        -> 502, 503, 504
}));

app.UseRouting();
app.MapDefaultEndpoints();                                 // /health, /alive
await app.RunServiceAsync();
return 0;
