using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Observability;

/// <summary>Builds the pipeline with a clock in front of every step; for explanations without the steps that count or send.</summary>
internal sealed class StepsBuilder(IApplicationBuilder inner, List<string> names, bool rehearsal) : IApplicationBuilder
{
    private const string Suffix = "Middleware";

    // From here on a request costs something: usage, the backend. What a rehearsal would have done there is told by what it has found out.
    private static readonly string[] NotRehearsed = ["request-body", "mock", "usage", "split", "cache", "forwarding"];

    public IServiceProvider ApplicationServices
    {
        get => inner.ApplicationServices;
        set => inner.ApplicationServices = value;
    }

    public Microsoft.AspNetCore.Http.Features.IFeatureCollection ServerFeatures => inner.ServerFeatures;

    public IDictionary<string, object?> Properties => inner.Properties;

    public RequestDelegate Build() => inner.Build();

    public IApplicationBuilder New() => inner.New();

    public IApplicationBuilder Use(Func<RequestDelegate, RequestDelegate> middleware)
    {
        if (NameOf(middleware) is not { } name || names.Count >= StepClock.MostSteps)
        {
            inner.Use(middleware);
            return this;
        }

        var step = names.IndexOf(name);
        if (step < 0)
        {
            step = names.Count;
            names.Add(name);
        }

        if (!rehearsal || !NotRehearsed.Contains(name))
        {
            inner.Use(next =>
            {
                var run = middleware(next);
                return context =>
                {
                    context.Features.Get<StepClock>()?.Enter(step);
                    if (rehearsal && context.Features.Get<GatewayRequest>() is { } request)
                    {
                        request.Purpose = RequestPurpose.Explanation;
                    }

                    return run(context);
                };
            });
        }

        return this;
    }

    /// <summary><c>RateLimitMiddleware</c> → <c>rate-limit</c>; null for what is no step.</summary>
    private static string? NameOf(Func<RequestDelegate, RequestDelegate> middleware)
    {
        // What UseMiddleware makes tells the type of the middleware as its text.
        var type = middleware.Target?.ToString() ?? "";
        var name = type[(type.LastIndexOf('.') + 1)..];
        return name.EndsWith(Suffix, StringComparison.Ordinal) && type.StartsWith("OpenPlatform.", StringComparison.Ordinal)
            ? string.Concat(name[..^Suffix.Length].Select(static (c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()))
            : null;
    }
}
