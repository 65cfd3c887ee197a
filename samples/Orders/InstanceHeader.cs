using OpenPlatform.ServiceDefaults.Instances;

namespace Orders;

/// <summary>Says in every answer which instance gave it, so that a caller can see the balancing.</summary>
internal static class InstanceHeader
{
    public static void UseInstanceHeader(this IApplicationBuilder app)
    {
        var instance = app.ApplicationServices.GetRequiredService<ServiceIdentity>().InstanceId;
        app.Use((context, next) =>
        {
            // At the start of the answer: the exception handler clears headers that are set earlier.
            context.Response.OnStarting(() =>
            {
                context.Response.Headers["X-Instance"] = instance;
                return Task.CompletedTask;
            });
            return next(context);
        });
    }
}
