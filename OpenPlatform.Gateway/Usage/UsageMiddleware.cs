using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Usage;

/// <summary>Bills what the backend answers. Everything that comes to this step is authorized; it never refuses.</summary>
internal sealed class UsageMiddleware(StepDelegate next, UsageSpool spool) : IStep
{
    public Task InvokeAsync(GatewayRequest request)
    {
        var features = request.Http.Features;
        request.Meter = new(request, spool, features.Get<IHttpResponseBodyFeature>()!);
        features.Set<IHttpResponseBodyFeature>(request.Meter);
        return next(request);
    }
}

internal static class UsagePipeline
{
    /// <summary>Where there is no catalog to bill for (no <see cref="UsageSpool"/>), the step is not there.</summary>
    public static void UseUsage(this Steps steps)
    {
        if (steps.Services.GetService<UsageSpool>() is not null)
        {
            steps.Use<UsageMiddleware>();
        }
    }
}
