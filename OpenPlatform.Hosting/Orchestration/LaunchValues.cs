using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>The environment and arguments of one process, asked from the model at each start.</summary>
internal sealed class LaunchValues(OrchestrationContext run, RunningResource owner, Replica replica, IReadOnlyDictionary<string, int> ports, bool inContainer = false)
{
    private readonly ValueProviderContext _context = new()
    {
        ExecutionContext = run.Execution,
        Caller = owner.Resource,
        Network = inContainer ? KnownNetworkIdentifiers.DefaultAspireContainerNetwork : KnownNetworkIdentifiers.LocalhostNetwork,
    };

    /// <summary>What makes a DCP object tell of itself, and what templates of Aspire's form refer to.</summary>
    public DcpMetadata Metadata(IReadOnlyDictionary<string, string>? more = null) => new()
    {
        Name = replica.Id,
        Annotations = new Dictionary<string, string>(more ?? new Dictionary<string, string>(), StringComparer.Ordinal)
        {
            ["resource-name"] = owner.Resource.Name,
            ["otel-service-name"] = owner.Resource.Name,
            ["otel-service-instance-id"] = InstanceId,
            ["resource-replica-index"] = replica.Index.ToString(CultureInfo.InvariantCulture),
        },
    };

    public async Task<IReadOnlyList<DcpEnvironmentVariable>> EnvironmentAsync(CancellationToken ct)
    {
        var context = new EnvironmentCallbackContext(run.Execution, owner.Resource, cancellationToken: ct) { Logger = replica.Logger };
        foreach (var annotation in owner.Resource.Annotations.OfType<EnvironmentCallbackAnnotation>().ToArray())
        {
            await annotation.Callback(context);
        }

        var variables = new List<DcpEnvironmentVariable>();
        foreach (var (name, value) in context.EnvironmentVariables)
        {
            if (await ResolveAsync(value, ct) is { } text)
            {
                variables.Add(new(name, text));
            }
        }

        return variables;
    }

    public async Task<IReadOnlyList<string>> ArgumentsAsync(CancellationToken ct)
    {
        var context = new CommandLineArgsCallbackContext([], owner.Resource, ct) { ExecutionContext = run.Execution, Logger = replica.Logger };
        foreach (var annotation in owner.Resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>().ToArray())
        {
            await annotation.Callback(context);
        }

        return await ResolveAllAsync(context.Args, ct);
    }

    public async Task<IReadOnlyList<string>> ResolveAllAsync(IEnumerable<object> values, CancellationToken ct)
    {
        var texts = new List<string>();
        foreach (var value in values)
        {
            if (await ResolveAsync(value, ct) is { } text)
            {
                texts.Add(text);
            }
        }

        return texts;
    }

    /// <summary>DCP reads arguments and environment as Go templates: a literal <c>{{</c> must say that it is one.</summary>
    public static string Escape(string text) => text.Replace("{{", "{{ \"{{\" }}", StringComparison.Ordinal);

    private async Task<string?> ResolveAsync(object? value, CancellationToken ct)
    {
        var text = value is IValueProvider provider ? await provider.GetValueAsync(_context, ct) : Convert.ToString(value, CultureInfo.InvariantCulture);
        return text is null ? null : Fill(text);
    }

    // Aspire leaves these to DCP's templates; here the values are known, so nothing but literals is handed over.
    private string Fill(string text)
    {
        if (!text.Contains("{{-", StringComparison.Ordinal))
        {
            return text;
        }

        foreach (var endpoint in owner.Endpoints)
        {
            if (endpoint.ServiceName is { } service && ports.TryGetValue(service, out var port))
            {
                text = text.Replace(endpoint.PortMarker, port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
            }
        }

        return text
            .Replace("{{- index .Annotations \"otel-service-name\" -}}", owner.Resource.Name, StringComparison.Ordinal)
            .Replace("{{- index .Annotations \"otel-service-instance-id\" -}}", InstanceId, StringComparison.Ordinal);
    }

    private string InstanceId => replica.Id[(owner.Resource.Name.Length + 1)..];
}
