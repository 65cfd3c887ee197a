using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Usage;

/// <summary>Bills what the backend answers. Everything that comes to this step is authorized; it never refuses.</summary>
internal sealed class UsageMiddleware(RequestDelegate next, UsageSpool spool)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var body = context.Features.Get<IHttpResponseBodyFeature>()!;
        var request = GatewayRequest.Of(context);
        var metered = new MeteredBody(context.Response, request, spool, body);
        request.Meter = metered;
        context.Features.Set<IHttpResponseBodyFeature>(metered);
        try
        {
            await next(context);
            metered.Finish();
        }
        finally
        {
            context.Features.Set(body);
        }
    }
}

internal static class UsagePipeline
{
    /// <summary>Where there is no catalog to bill for (no <see cref="UsageSpool"/>), the step is not there.</summary>
    public static void UseUsage(this IApplicationBuilder pipeline)
    {
        if (pipeline.ApplicationServices.GetService<UsageSpool>() is not null)
        {
            pipeline.UseMiddleware<UsageMiddleware>();
        }
    }
}
