using System.Collections.Concurrent;
using Polly;

namespace Microsoft.Extensions.Http.Resilience;

/// <summary>Sends each request through a pipeline.</summary>
public class ResilienceHandler(Func<HttpRequestMessage, ResiliencePipeline<HttpResponseMessage>> pipelineProvider) : DelegatingHandler
{
    private static readonly ResiliencePropertyKey<HttpRequestMessage> Request = new("Resilience.Http.RequestMessage");

    internal static HttpRequestMessage? RequestOf(ResilienceContext context) => context.Properties.GetValue(Request, null!);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        context.Properties.Set(Request, request);
        try
        {
            // Outcomes instead of exceptions between the strategies: a retry then throws nothing.
            var outcome = await pipelineProvider(request).ExecuteOutcomeAsync(
                static async (context, state) =>
                {
                    try
                    {
                        return Outcome.FromResult(await state.Handler.SendOnceAsync(state.Request, context.CancellationToken));
                    }
#pragma warning disable CA1031 // Every failure is an outcome, which the strategies judge; it is thrown below when they let it through.
                    catch (Exception e)
#pragma warning restore CA1031
                    {
                        return Outcome.FromException<HttpResponseMessage>(e);
                    }
                },
                context,
                (Handler: this, Request: request));
            outcome.ThrowIfException();
            return outcome.Result!;
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private Task<HttpResponseMessage> SendOnceAsync(HttpRequestMessage request, CancellationToken cancellationToken) => base.SendAsync(request, cancellationToken);
}

/// <summary>
/// Pipelines by client and, when so chosen, by authority. They hold state (open circuits, permits), so they outlive the handlers, which
/// the factory renews every two minutes.
/// </summary>
internal sealed class HttpPipelines(Func<string, string, ResiliencePipeline<HttpResponseMessage>> build)
{
    /// <summary>A client that calls ever new hosts must not collect pipelines for ever; starting over costs only learned state.</summary>
    private const int MaxPipelines = 1024;

    private readonly ConcurrentDictionary<(string Options, string Key), ResiliencePipeline<HttpResponseMessage>> _pipelines = new();

    public ResiliencePipeline<HttpResponseMessage> Get(string optionsName, string key)
    {
        if (_pipelines.TryGetValue((optionsName, key), out var pipeline))
        {
            return pipeline;
        }

        if (_pipelines.Count >= MaxPipelines)
        {
            _pipelines.Clear();
        }

        return _pipelines.GetOrAdd((optionsName, key), static (names, build) => build(names.Options, names.Key), build);
    }

    /// <summary>The settings changed: the next request builds anew.</summary>
    public void Forget(string? optionsName)
    {
        foreach (var key in _pipelines.Keys.Where(key => key.Options == optionsName))
        {
            _pipelines.TryRemove(key, out _);
        }
    }
}
