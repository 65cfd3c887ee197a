using System.Text.Json;
using System.Text.RegularExpressions;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Resources;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Contracts;
using OpenPlatform.Contracts.Snapshots.Shards;

namespace OpenPlatform.Catalog.Gateways;

internal static partial class GatewayEndpoints
{
    private const int MostBytes = 1 << 20;

    public static IServiceCollection AddGateways(this IServiceCollection services) => services.AddSingleton<GatewayStore>();

    public static void MapGateways(this IEndpointRouteBuilder admin) => admin.MapGet("/gateways", List)
        .WithTags("Gateways").Needs(Permission.ReadConfiguration).Lists<GatewayReplica>("ListGateways", "Gateway replicas: what each runs, how far behind it is, what it refused.");

    public static void MapAcknowledgements(this IEndpointRouteBuilder gateways) =>
        gateways.MapPost(InternalApi.AckPath, Accept).WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(MostBytes));

    private static async Task<IResult> List([AsParameters] PageQuery page, GatewayStore store, HttpContext context, CancellationToken cancellationToken)
    {
        if (page.CheckLimit() is { } problem)
        {
            return problem;
        }

        if (page.Cursor is { } cursor && !Id().IsMatch(cursor))
        {
            return PageQuery.UnknownCursor();
        }

        var limit = page.Limit ?? PageQuery.DefaultLimit;
        var replicas = await store.ListAsync(page.Cursor ?? "", limit + 1, cancellationToken);
        if (replicas.Count > limit)
        {
            PageAnswers.AddNextLink(context, replicas[limit - 1].Id);
        }

        return TypedResults.Ok(new Page<GatewayReplica>([.. replicas.Take(limit)]));
    }

    private static async Task<IResult> Accept(HttpRequest request, GatewayStore store, CancellationToken cancellationToken)
    {
        ConfigAck? ack;
        try
        {
            ack = await JsonSerializer.DeserializeAsync(request.Body, ConfigJson.Default.ConfigAck, cancellationToken);
        }
        catch (JsonException exception)
        {
            throw new BadHttpRequestException("The body is no acknowledgement.", exception);
        }

        if (ack is null || !Id().IsMatch(ack.Gateway) || ack.Address?.Length > 256 || ack.Zone?.Length > 64 || ack.LagMs < 0
            || ack.Refused.Any(static refused => refused is null || refused.Shard.Length > 128 || refused.Reason.Length > 2_000))
        {
            return CatalogProblem.Malformed("The body is no acknowledgement.");
        }

        await store.SaveAsync(ack, cancellationToken);
        return TypedResults.NoContent();
    }

    [GeneratedRegex("^[A-Za-z0-9._-]{1,128}\\z", RegexOptions.NonBacktracking)]
    private static partial Regex Id();
}
