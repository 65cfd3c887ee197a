using System.Buffers.Text;
using System.Text;
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
    private const int MostInstanceBytes = 8 << 20;

    public static IServiceCollection AddGateways(this IServiceCollection services) => services.AddSingleton<GatewayStore>().AddSingleton<InstanceStore>();

    public static void MapGateways(this IEndpointRouteBuilder admin)
    {
        admin.MapGet("/gateways", List).WithTags("Gateways").Needs(Permission.ReadConfiguration)
            .Lists<GatewayReplica>("ListGateways", "Gateway replicas: what each runs, how far behind it is, what it refused.");
        admin.MapGet("/backends/{id:guid}/instances", ListInstances).WithTags("Backends").Needs(Permission.ReadConfiguration)
            .Lists<BackendInstance>("ListBackendInstances", "Instances of a backend by address: who told of them, and in what state each gateway sees them.")
            .Problems(StatusCodes.Status404NotFound);
    }

    public static void MapAcknowledgements(this IEndpointRouteBuilder gateways)
    {
        gateways.MapPost(InternalApi.AckPath, Accept).WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(MostBytes));
        gateways.MapPost(InternalApi.InstancesPath, AcceptInstances).WithMetadata(new Microsoft.AspNetCore.Mvc.RequestSizeLimitAttribute(MostInstanceBytes));
    }

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

    private static async Task<IResult> ListInstances(Guid id, [AsParameters] PageQuery page, InstanceStore store, HttpContext context, CancellationToken cancellationToken)
    {
        if (page.CheckLimit() is { } problem)
        {
            return problem;
        }

        var after = "";
        if (page.Cursor is { } cursor)
        {
            if (!Base64Url.IsValid(cursor))
            {
                return PageQuery.UnknownCursor();
            }

            after = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor)).Replace("\0", "", StringComparison.Ordinal);
        }

        var limit = page.Limit ?? PageQuery.DefaultLimit;
        if (await store.FindOrNullAsync(id, after, limit + 1, cancellationToken) is not { } instances)
        {
            return CatalogProblem.NotFound("backend", id);
        }

        if (instances.Count > limit)
        {
            PageAnswers.AddNextLink(context, Base64Url.EncodeToString(Encoding.UTF8.GetBytes(instances[limit - 1].Address)));
        }

        return TypedResults.Ok(new Page<BackendInstance>([.. instances.Take(limit)]));
    }

    private static async Task<IResult> AcceptInstances(HttpRequest request, InstanceStore store, CancellationToken cancellationToken)
    {
        InstanceReport? report;
        try
        {
            report = await JsonSerializer.DeserializeAsync(request.Body, InstanceReportJson.Default.InstanceReport, cancellationToken);
        }
        catch (JsonException exception)
        {
            throw new BadHttpRequestException("The body is no report of instances.", exception);
        }

        if (report is null || !Id().IsMatch(report.Gateway) || report.Instances.Count > InstanceReport.MostInstances || report.Instances.Any(static i =>
            i is null || i.Id.Length > 256 || i.Address.Length > 512 || i.Zone?.Length > 64 || i.Source.Length > 32 || i.State.Length > 32 || i.EjectedBecause?.Length > 64))
        {
            return CatalogProblem.Malformed("The body is no report of instances.");
        }

        await store.SaveAsync(report, cancellationToken);
        return TypedResults.NoContent();
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
