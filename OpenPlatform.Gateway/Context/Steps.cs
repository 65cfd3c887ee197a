using OpenPlatform.Gateway.Observability;

namespace OpenPlatform.Gateway.Context;

/// <summary>A step and all that follow it. It gets the request's own state, so that nobody has to look for it in the features of the HTTP context.</summary>
internal delegate Task StepDelegate(GatewayRequest request);

/// <summary>A step of the pipeline: decides, or passes the request on to the <see cref="StepDelegate"/> that its constructor gets first.</summary>
internal interface IStep
{
    Task InvokeAsync(GatewayRequest request);
}

/// <summary>The steps in the order in which a request meets them, and what is built of them.</summary>
internal sealed class Steps(IServiceProvider services)
{
    private const string Suffix = "Middleware";

    // From here on a request costs something: usage, the backend. What a rehearsal would have done there is told by what it has found out.
    private static readonly string[] NotRehearsed = ["request-body", "mock", "usage", "split", "cache", "forwarding"];

    private readonly List<(string Name, Type Type)> _steps = [];

    public IServiceProvider Services => services;

    /// <summary>In their order: <c>RateLimitMiddleware</c> is <c>rate-limit</c>.</summary>
    public IReadOnlyList<string> Names => [.. _steps.Select(static step => step.Name)];

    public void Use<TStep>()
        where TStep : IStep => _steps.Add((NameOf(typeof(TStep)), typeof(TStep)));

    /// <summary>All of them.</summary>
    /// <param name="timed">With <see cref="GatewayRequest.Clocked"/> in front of each.</param>
    public StepDelegate Build(bool timed) => Build(timed, static _ => true);

    /// <summary>Those that neither count nor send.</summary>
    public StepDelegate BuildRehearsal() => Build(timed: true, static name => !NotRehearsed.Contains(name));

    private StepDelegate Build(bool timed, Func<string, bool> wanted)
    {
        StepDelegate next = static request => // where a rehearsal ends; for all others the last step is the end
        {
            request.Http.Response.StatusCode = StatusCodes.Status200OK;
            return Task.CompletedTask;
        };
        for (var i = _steps.Count - 1; i >= 0; i--)
        {
            if (wanted(_steps[i].Name))
            {
                StepDelegate run = ((IStep)ActivatorUtilities.CreateInstance(services, _steps[i].Type, next)).InvokeAsync;
                next = timed && i < StepClock.MostSteps ? Timed(i, run) : run;
            }
        }

        return next;
    }

    private static StepDelegate Timed(int step, StepDelegate run) => request =>
    {
        request.Clocked?.Enter(step);
        return run(request);
    };

    /// <summary>What <see cref="Names"/> calls a step.</summary>
    public static string NameOf(Type step)
    {
        var name = step.Name.EndsWith(Suffix, StringComparison.Ordinal) ? step.Name[..^Suffix.Length] : step.Name;
        return string.Concat(name.Select(static (c, i) => char.IsUpper(c) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(c) : c.ToString()));
    }
}
