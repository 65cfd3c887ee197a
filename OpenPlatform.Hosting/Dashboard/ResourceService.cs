using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;
using OpenPlatform.Hosting.Dashboard.Wire;

namespace OpenPlatform.Hosting.Dashboard;

/// <summary>What the dashboard asks the AppHost: which resources there are, their console logs, their commands. gRPC, framed by hand.</summary>
internal sealed class ResourceService(
    DashboardSettings settings,
    HostingOptions options,
    DistributedApplicationModel model,
    ResourceNotificationService notifications,
    ResourceLoggerService loggers,
    ResourceCommandService commands,
    ILogger<ResourceService> logger)
{
    internal const string ApiKeyHeader = "x-resource-service-api-key";
    private const string Prefix = "/aspire.v1.DashboardService/";
    // Batches stay far below the 16 MB that the dashboard takes in one message.
    private const int LinesPerMessage = 500, ChangesPerMessage = 200;

    /// <summary>One call, from its headers to its status.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "Whatever a call throws is its gRPC status.")]
    internal async Task HandleAsync(HttpContext http, CancellationToken stopping)
    {
        http.Response.ContentType = "application/grpc";
        // Calls last as long as the dashboard; a silent one is none that is too slow.
        http.Features.Get<IHttpMinRequestBodyDataRateFeature>()?.MinDataRate = null;
        http.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize = null;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        try
        {
            Authenticate(http.Request);
            await CallAsync(http, stop.Token);
            await EndAsync(http.Response, GrpcStatus.Ok, null);
        }
        catch (GrpcException error)
        {
            await EndAsync(http.Response, error.Status, error.Message);
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to hear how it ended.
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await EndAsync(http.Response, GrpcStatus.Unavailable, "The AppHost is stopping.");
        }
        catch (Exception error)
        {
            DashboardLog.CallFailed(logger, http.Request.Path, error);
            await EndAsync(http.Response, GrpcStatus.Internal, "The AppHost failed to answer; its log says why.");
        }
    }

    private Task CallAsync(HttpContext http, CancellationToken cancellationToken)
    {
        var path = http.Request.Path.Value ?? "";
        return (path.StartsWith(Prefix, StringComparison.Ordinal) ? path[Prefix.Length..] : "") switch
        {
            "GetApplicationInformation" => WriteAsync(http, new ApplicationInformationResponse { ApplicationName = options.ApplicationName }, cancellationToken),
            "WatchResources" => WatchResourcesAsync(http, cancellationToken),
            "WatchResourceConsoleLogs" => WatchConsoleLogsAsync(http, cancellationToken),
            "ExecuteResourceCommand" => ExecuteCommandAsync(http, cancellationToken),
            "WatchInteractions" => WatchInteractionsAsync(http, cancellationToken),
            _ => throw new GrpcException(GrpcStatus.Unimplemented, $"There is no method {path}."),
        };
    }

    /// <summary>All resources in the first message, then what changes. Whatever is there when a message is written goes into it; of several
    /// changes of one resource the last.</summary>
    private async Task WatchResourcesAsync(HttpContext http, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var events = notifications.WatchAsync(stop.Token).GetAsyncEnumerator(stop.Token);
        var next = events.MoveNextAsync().AsTask();
        try
        {
            var initial = await TakeAsync();
            await WriteAsync(http, new WatchResourcesUpdate
            {
                InitialData = new() { Resources = { initial.Where(c => c.Upsert is not null).Select(c => c.Upsert) } },
            }, cancellationToken);
            while (await next)
            {
                await WriteAsync(http, new WatchResourcesUpdate { Changes = new() { Value = { await TakeAsync() } } }, cancellationToken);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await events.DisposeAsync();
        }

        async Task<ICollection<WatchResourcesChange>> TakeAsync()
        {
            var changes = new Dictionary<string, WatchResourcesChange>(StringComparer.OrdinalIgnoreCase);
            while (changes.Count < ChangesPerMessage && next.IsCompleted && await next)
            {
                changes[events.Current.ResourceId] = ChangeOf(events.Current);
                next = events.MoveNextAsync().AsTask();
            }
            return changes.Values;
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "One resource that cannot be shown must not hide the others.")]
    private WatchResourcesChange ChangeOf(ResourceEvent change)
    {
        var name = change.Resource.Name;
        try
        {
            return change.IsRemoved
                ? new() { Delete = new() { ResourceName = change.ResourceId, ResourceType = change.Snapshot.ResourceType } }
                : new() { Upsert = ResourceMessages.Of(name, change.ResourceId, change.Snapshot, Secrets()) };
        }
        catch (Exception error)
        {
            DashboardLog.NotShown(logger, change.ResourceId, error);
            return new()
            {
                Upsert = new()
                {
                    Name = change.ResourceId,
                    Uid = change.ResourceId,
                    DisplayName = name,
                    ResourceType = change.Resource.ResourceType(),
                    State = change.Snapshot.State?.Text ?? "",
                    CreatedAt = new Timestamp(),
                },
            };
        }
    }

    /// <summary>Values of secret parameters, as far as they are known.</summary>
    private string[] Secrets() => [.. model.Resources.OfType<ParameterResource>().Where(p => p.Secret)
        .Select(p => p.TryGetValue(out var value, out _) ? value : null).OfType<string>().Where(value => value.Length > 0)];

    private async Task WatchConsoleLogsAsync(HttpContext http, CancellationToken cancellationToken)
    {
        var request = await GrpcFrames.ReadAsync(http.Request.BodyReader, WatchConsoleLogsRequest.Parser, cancellationToken);
        if (request.ResourceName.Length == 0)
        {
            throw new GrpcException(GrpcStatus.InvalidArgument, "resource_name is missing.");
        }
        // The page waits for the headers, also while there is no line.
        await http.Response.BodyWriter.FlushAsync(cancellationToken);
        var batches = request.SuppressFollow ? loggers.GetAllAsync(request.ResourceName) : loggers.WatchAsync(request.ResourceName);
        await foreach (var batch in batches.WithCancellation(cancellationToken))
        {
            foreach (var lines in batch.Chunk(LinesPerMessage))
            {
                var update = new WatchConsoleLogsUpdate();
                update.LogLines.AddRange(lines.Select(l => new ConsoleLogLine { Text = l.Content ?? "", IsStdErr = l.IsErrorMessage, LineNumber = l.LineNumber }));
                await WriteAsync(http, update, cancellationToken);
            }
        }
    }

    private async Task ExecuteCommandAsync(HttpContext http, CancellationToken cancellationToken)
    {
        var request = await GrpcFrames.ReadAsync(http.Request.BodyReader, ResourceCommandRequest.Parser, cancellationToken);
        if (request.ResourceName.Length == 0 || request.CommandName.Length == 0)
        {
            throw new GrpcException(GrpcStatus.InvalidArgument, request.ResourceName.Length == 0 ? "resource_name is missing." : "command_name is missing.");
        }
        var result = await commands.ExecuteCommandAsync(request.ResourceName, request.CommandName, cancellationToken);
        var response = new ResourceCommandResponse { Kind = result switch { { Success: true } => 1, { Canceled: true } => 3, _ => 2 } };
        if ((result.Success ? result.Message : result.ErrorMessage ?? result.Message) is { Length: > 0 } message)
        {
            response.Message = message;
        }
        await WriteAsync(http, response, cancellationToken);
    }

    /// <summary>This AppHost asks the person nothing, but the dashboard takes the end of this call for the end of the AppHost.</summary>
    private static async Task WatchInteractionsAsync(HttpContext http, CancellationToken cancellationToken)
    {
        await http.Response.BodyWriter.FlushAsync(cancellationToken);
        while (true)
        {
            var read = await http.Request.BodyReader.ReadAsync(cancellationToken);
            http.Request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    private void Authenticate(HttpRequest request)
    {
        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(settings.ResourceServiceKey), Encoding.UTF8.GetBytes(request.Headers[ApiKeyHeader].ToString())))
        {
            throw new GrpcException(GrpcStatus.Unauthenticated, $"The header {ApiKeyHeader} does not carry the key of this AppHost.");
        }
    }

    private static Task WriteAsync(HttpContext http, IMessage message, CancellationToken cancellationToken) =>
        GrpcFrames.WriteAsync(http.Response.BodyWriter, message, cancellationToken);

    /// <summary>The status goes into the trailers, or into the headers when nothing was sent before.</summary>
    private static Task EndAsync(HttpResponse response, GrpcStatus status, string? message)
    {
        if (response.HasStarted)
        {
            response.AppendTrailer("grpc-status", ((int)status).ToString());
            if (message is not null)
            {
                response.AppendTrailer("grpc-message", Uri.EscapeDataString(message));
            }
            return response.CompleteAsync();
        }
        response.Headers["grpc-status"] = ((int)status).ToString();
        if (message is not null)
        {
            response.Headers["grpc-message"] = Uri.EscapeDataString(message);
        }
        return response.CompleteAsync();
    }
}
