using System.ComponentModel;
using OpenPlatform.Catalog.Audit;
using OpenPlatform.Catalog.Credentials;
using OpenPlatform.Catalog.Jobs;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Catalog.Webhooks;

internal static class WebhookEndpoints
{
    public static IServiceCollection AddWebhooks(this IServiceCollection services)
    {
        services.AddOptions<WebhookOptions>().BindConfiguration(WebhookOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        return services
            .AddSingleton<WebhookGuard>()
            .AddSingleton<WebhookStore>()
            .AddSingleton<DeliveryStore>()
            .AddSingleton<WebhookSender>()
            .AddSingleton<WebhookMetrics>()
            .AddSingleton<IJob, OutboxRetention>()
            .AddHostedService<WebhookDispatcher>();
    }

    public static void MapWebhooks(this IEndpointRouteBuilder admin)
    {
        var webhooks = admin.MapGroup("/webhooks").WithTags("Webhooks");
        webhooks.MapPost("/", Create).Needs(Permission.WriteWebhooks).Creates<IssuedWebhook>("CreateWebhook", "Sends events to an address. The answer is the only place where the secret is shown.");
        webhooks.MapGet("/", List).Needs(Permission.ReadWebhooks).Lists<Webhook>("ListWebhooks", "Webhooks, oldest first; never their secrets.");
        webhooks.MapById<WebhookStore, Webhook>("webhook", static (webhooks, id, _, cancellationToken) => webhooks.FindOrNullAsync(id, cancellationToken))
            .Needs(Permission.ReadWebhooks).Reads<Webhook>("GetWebhook", "One webhook; never its secret.");
        webhooks.MapPatch("/{id:guid}", Update).Needs(Permission.WriteWebhooks).Patches<Webhook, WebhookRequest>("UpdateWebhook", "Changes address, event types or whether it is active.");
        webhooks.MapDelete("/{id:guid}", Delete).Needs(Permission.WriteWebhooks).Deletes("DeleteWebhook", "Ends the webhook and everything that waits for it.");
        webhooks.MapPost("/{id:guid}:rotate", Rotate).Needs(Permission.WriteWebhooks).Changes<IssuedWebhook>("RotateWebhookSecret", "A new secret; the old one signs as well until the overlap has passed.");
        webhooks.MapPost("/{id:guid}:replay", ReplayDead).Needs(Permission.Operate).Describe("ReplayWebhook", "Sends everything again that was given up.").Produces<Replayed>();
        webhooks.MapGet("/{id:guid}/deliveries", Deliveries).Needs(Permission.ReadWebhooks).Lists<Delivery>("ListDeliveries", "What has become of the events for this webhook, oldest first.");
        webhooks.MapPost("/{id:guid}/deliveries/{delivery:guid}:replay", Replay).Needs(Permission.Operate).Describe("ReplayDelivery", "Sends one event again, whatever became of it.").Produces<Replayed>();
    }

    private static async Task<IResult> Create(WebhookRequest request, WebhookGuard guard, AuditedWrites writes, Envelopes envelopes, CancellationToken cancellationToken) =>
        request.Check(guard) ?? ResourceAnswers.Created("/admin/v1/webhooks",
            await writes.ApplyAsync(change => WebhookStore.InsertAsync(change, request, envelopes), cancellationToken));

    private static Task<IResult> List([AsParameters] PageQuery page, WebhookStore webhooks, HttpContext context, CancellationToken cancellationToken) =>
        PageAnswers.ListAsync(context, page, start => webhooks.ListAsync(start, cancellationToken));

    private static async Task<IResult> Update(Guid id, IfMatch ifMatch, MergePatch patch, WebhookGuard guard, AuditedWrites writes, CancellationToken cancellationToken) =>
        ResourceAnswers.Changed(await writes.ApplyAsync(change => WebhookStore.UpdateAsync(change, id, ifMatch, patch.ApplyTo, guard), cancellationToken));

    private static async Task<IResult> Delete(Guid id, IfMatch ifMatch, AuditedWrites writes, CancellationToken cancellationToken) =>
        ResourceAnswers.Deleted(await writes.ApplyAsync(change => WebhookStore.DeleteAsync(change, id, ifMatch), cancellationToken));

    private static async Task<IResult> Rotate(Guid id, IfMatch ifMatch, SecretRotation rotation, AuditedWrites writes, Envelopes envelopes, CancellationToken cancellationToken) =>
        rotation.Check() ?? ResourceAnswers.Changed(
            await writes.ApplyAsync(change => WebhookStore.RotateAsync(change, id, ifMatch, rotation.Overlap, envelopes), cancellationToken));

    private static async Task<IResult> Deliveries(
        Guid id, [AsParameters] PageQuery page, [Description("Only those in this state: pending, delivered or dead.")] string? state, WebhookStore webhooks, DeliveryStore deliveries, HttpContext context,
        CancellationToken cancellationToken)
    {
        DeliveryState? only = null;
        if (state is not null)
        {
            if (!Enum.TryParse<DeliveryState>(state, ignoreCase: true, out var known) || !Enum.IsDefined(known))
            {
                return CatalogProblem.Malformed("The list cannot be given.", new ProblemError("?state", "must be pending, delivered or dead"));
            }

            only = known;
        }

        return await webhooks.FindOrNullAsync(id, cancellationToken) is null
            ? CatalogProblem.NotFound("webhook", id)
            : await PageAnswers.ListAsync(context, page, start => deliveries.ListAsync(id, only, start, cancellationToken));
    }

    private static async Task<IResult> ReplayDead(Guid id, WebhookStore webhooks, DeliveryStore deliveries, TimeProvider time, CancellationToken cancellationToken) =>
        await webhooks.FindOrNullAsync(id, cancellationToken) is null
            ? CatalogProblem.NotFound("webhook", id)
            : TypedResults.Ok(new Replayed(await deliveries.ReplayAsync(id, null, time.GetUtcNow(), cancellationToken)));

    private static async Task<IResult> Replay(Guid id, Guid delivery, DeliveryStore deliveries, TimeProvider time, CancellationToken cancellationToken) =>
        await deliveries.ReplayAsync(id, delivery, time.GetUtcNow(), cancellationToken) is > 0 and var replayed
            ? TypedResults.Ok(new Replayed(replayed))
            : CatalogProblem.NotFound("finished delivery", delivery);
}
