using System.Diagnostics;

namespace OpenPlatform.Catalog.Problems;

/// <summary>
/// The W3C trace id that stands in problems, in the log of what failed and in the audit. Who collects traces (<c>OTEL_EXPORTER_OTLP_ENDPOINT</c>) has it in the span of
/// each request. While nobody does, ASP.NET Core would begin an activity for every request all the same, because somebody could log something about it, and that costs a
/// read by key a sixth of all it costs; so it is told not to, and only what changes something begins one.
/// </summary>
internal static class RequestTraces
{
    internal const string HostingLog = "Microsoft.AspNetCore.Hosting.Diagnostics";

    /// <summary>Who exports logs keeps the path and the id of the request in them, and who asks for a line for each request gets it.</summary>
    public static WebApplicationBuilder AddRequestTraces(this WebApplicationBuilder builder)
    {
        var levels = builder.Configuration.GetSection("Logging:LogLevel");
        var asked = levels[HostingLog] ?? levels["Microsoft.AspNetCore.Hosting"] ?? levels["Microsoft.AspNetCore"];
        var isAsked = Enum.TryParse<LogLevel>(asked, ignoreCase: true, out var level) && level < LogLevel.Warning;
        if (!isAsked && string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            builder.Logging.AddFilter(HostingLog, LogLevel.None);
        }

        return builder;
    }

    /// <summary>Before whatever writes, answers with a problem or logs.</summary>
    public static IApplicationBuilder UseRequestTraces(this IApplicationBuilder app) => app.Use(static (context, next) =>
        Activity.Current is null && !HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method) ? TracedAsync(context, next) : next(context));

    /// <summary>32 hex digits: of the trace that the request is part of, otherwise of one that nobody else knows.</summary>
    public static string IdOf(HttpContext context) => (Activity.Current?.TraceId ?? (ParentOf(context) is { } parent ? parent.TraceId : ActivityTraceId.CreateRandom())).ToHexString();

    /// <summary>Begins an activity, as a part of the caller's trace where there is one.</summary>
    public static Activity Begin(HttpContext context)
    {
        var activity = new Activity(context.Request.Method);
        if (ParentOf(context) is { } parent)
        {
            activity.SetParentId(parent.TraceId, parent.SpanId, parent.TraceFlags);
            activity.TraceStateString = parent.TraceState;
        }

        return activity.SetIdFormat(ActivityIdFormat.W3C).Start();
    }

    private static async Task TracedAsync(HttpContext context, RequestDelegate next)
    {
        using var activity = Begin(context);
        await next(context);
    }

    private static ActivityContext? ParentOf(HttpContext context) =>
        context.Request.Headers.TraceParent is [{ } text] && ActivityContext.TryParse(text, context.Request.Headers.TraceState, out var parent) ? parent : null;
}
