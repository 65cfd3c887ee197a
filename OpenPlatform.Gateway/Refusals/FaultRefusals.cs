using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Refusals;

/// <summary>A fault of the gateway is a refusal too: logged with its stack, answered without.</summary>
internal static class FaultRefusals
{
    public static void UseFaultRefusals(this IApplicationBuilder pipeline)
    {
        var refusals = pipeline.ApplicationServices.GetRequiredService<RefusalWriter>();
        pipeline.UseExceptionHandler(new ExceptionHandlerOptions
        {
            ExceptionHandler = context => refusals.WriteAsync(context, GatewayRequest.Of(context), Refusal.InternalError),
        });
    }
}
