using Microsoft.AspNetCore.Diagnostics;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Refusals;

/// <summary>A fault of the gateway is a refusal too: logged with its stack, answered without → 500.</summary>
internal sealed partial class FaultRefusals(RefusalWriter refusals, ILogger<FaultRefusals> logger)
{
    /// <summary>Answers in place of the step that failed; where an answer has begun already, the connection is what is left to end.</summary>
    public async Task AnswerAsync(GatewayRequest request, Exception fault)
    {
        var http = request.Http;
        if (http.RequestAborted.IsCancellationRequested && fault is OperationCanceledException or IOException)
        {
            LogLeft(fault);
            http.Response.StatusCode = http.Response.HasStarted ? http.Response.StatusCode : StatusCodes.Status499ClientClosedRequest;
            return;
        }

        LogFault(fault);
        http.Features.Set<IExceptionHandlerFeature>(new ExceptionHandlerFeature { Error = fault, Path = http.Request.Path }); // the span tells it
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }

        request.Meter?.Withdraw();
        http.Response.Clear();
        await refusals.WriteAsync(null, request, Refusal.InternalError);
    }

    [LoggerMessage(LogLevel.Error, "A request failed by a fault of the gateway")]
    private partial void LogFault(Exception fault);

    [LoggerMessage(LogLevel.Debug, "The client left")]
    private partial void LogLeft(Exception fault);
}
