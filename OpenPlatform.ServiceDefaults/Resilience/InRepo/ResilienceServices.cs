using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;
using Polly.RateLimiting;

namespace Microsoft.Extensions.Http.Resilience
{
    using Microsoft.Extensions.DependencyInjection;

    /// <summary>A standard pipeline that has been added to a client.</summary>
    public interface IHttpStandardResiliencePipelineBuilder
    {
        /// <summary>Name of its options.</summary>
        string PipelineName { get; }

        IServiceCollection Services { get; }
    }

    public static class HttpStandardResiliencePipelineBuilderExtensions
    {
        /// <exception cref="ArgumentException">The section is empty.</exception>
        public static IHttpStandardResiliencePipelineBuilder Configure(this IHttpStandardResiliencePipelineBuilder builder, IConfigurationSection section)
        {
            if (!section.GetChildren().Any())
            {
                throw new ArgumentException($"The configuration section '{section.Path}' is empty.", nameof(section));
            }

            builder.Services.Configure<HttpStandardResilienceOptions>(builder.PipelineName, section, binder => binder.ErrorOnUnknownConfiguration = true);
            return builder;
        }

        public static IHttpStandardResiliencePipelineBuilder Configure(this IHttpStandardResiliencePipelineBuilder builder, Action<HttpStandardResilienceOptions> configure) =>
            builder.Configure((options, _) => configure(options));

        public static IHttpStandardResiliencePipelineBuilder Configure(
            this IHttpStandardResiliencePipelineBuilder builder, Action<HttpStandardResilienceOptions, IServiceProvider> configure)
        {
            builder.Services.AddOptions<HttpStandardResilienceOptions>(builder.PipelineName).Configure(configure);
            return builder;
        }

        /// <summary>One pipeline for each scheme, host and port: a service in trouble opens no circuit of another.</summary>
        public static IHttpStandardResiliencePipelineBuilder SelectPipelineByAuthority(this IHttpStandardResiliencePipelineBuilder builder) =>
            builder.SelectPipelineBy(_ => request => request.RequestUri?.GetLeftPart(UriPartial.Authority) ?? "");

        public static IHttpStandardResiliencePipelineBuilder SelectPipelineBy(
            this IHttpStandardResiliencePipelineBuilder builder, Func<IServiceProvider, Func<HttpRequestMessage, string>> selectorFactory)
        {
            builder.Services.AddOptions<PipelineSelection>(builder.PipelineName).Configure<IServiceProvider>(
                (selection, services) => selection.KeyOf = selectorFactory(services));
            return builder;
        }
    }

    internal sealed class PipelineSelection
    {
        public Func<HttpRequestMessage, string> KeyOf { get; set; } = _ => "";
    }
}

namespace Microsoft.Extensions.DependencyInjection
{
    /// <summary>The standard resilience handler with the names and defaults of Microsoft.Extensions.Http.Resilience, put together from Polly.</summary>
    public static class ResilienceHttpClientBuilderExtensions
    {
        public static IHttpStandardResiliencePipelineBuilder AddStandardResilienceHandler(this IHttpClientBuilder builder, IConfigurationSection section) =>
            builder.AddStandardResilienceHandler().Configure(section);

        public static IHttpStandardResiliencePipelineBuilder AddStandardResilienceHandler(this IHttpClientBuilder builder, Action<HttpStandardResilienceOptions> configure) =>
            builder.AddStandardResilienceHandler().Configure(configure);

        public static IHttpStandardResiliencePipelineBuilder AddStandardResilienceHandler(this IHttpClientBuilder builder)
        {
            // The client's name is null in the defaults of all clients.
            var name = string.IsNullOrEmpty(builder.Name) ? "standard" : $"{builder.Name}-standard";
            var services = builder.Services;
            services.AddOptionsWithValidateOnStart<HttpStandardResilienceOptions, HttpStandardResilienceOptionsValidator>(name);
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<HttpStandardResilienceOptions>, HttpStandardResilienceOptionsRules>());
            services.TryAddSingleton<ResilienceMetrics>();
            services.TryAddSingleton(provider => CreatePipelines(provider));

            builder.AddHttpMessageHandler(provider =>
            {
                var pipelines = provider.GetRequiredService<HttpPipelines>();
                var keyOf = provider.GetRequiredService<IOptionsMonitor<PipelineSelection>>().Get(name).KeyOf;
                return new ResilienceHandler(request => pipelines.Get(name, keyOf(request)));
            });

            // The pipeline's timeouts decide; HttpClient's own 100 s would cut across them.
            builder.ConfigureHttpClient(client => client.Timeout = Timeout.InfiniteTimeSpan);
            return new Builder(name, services);
        }

        private static HttpPipelines CreatePipelines(IServiceProvider services)
        {
            var monitor = services.GetRequiredService<IOptionsMonitor<HttpStandardResilienceOptions>>();
            var metrics = services.GetRequiredService<ResilienceMetrics>();
            var time = services.GetService<TimeProvider>();
            var pipelines = new HttpPipelines((name, key) => Build(monitor.Get(name), name, key, metrics, time));
            monitor.OnChange((_, name) => pipelines.Forget(name));
            return pipelines;
        }

        private static ResiliencePipeline<HttpResponseMessage> Build(
            HttpStandardResilienceOptions options, string name, string key, ResilienceMetrics metrics, TimeProvider? time)
        {
            var builder = new ResiliencePipelineBuilder<HttpResponseMessage>
            {
                Name = name,
                InstanceName = key,
                TimeProvider = time,
                TelemetryListener = metrics,
            };
            return builder
                .AddStrategy(context => new RateLimiterStrategy(options.RateLimiter, context.Telemetry), options.RateLimiter)
                .AddTimeout(options.TotalRequestTimeout)
                .AddRetry(options.Retry)
                .AddCircuitBreaker(options.CircuitBreaker)
                .AddTimeout(options.AttemptTimeout)
                .Build();
        }

        private sealed record Builder(string PipelineName, IServiceCollection Services) : IHttpStandardResiliencePipelineBuilder;
    }
}
