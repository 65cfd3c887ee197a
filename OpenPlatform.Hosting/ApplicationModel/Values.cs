namespace Aspire.Hosting.ApplicationModel;

/// <summary>A value known only once the application runs.</summary>
public interface IValueProvider
{
    ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default);
    ValueTask<string?> GetValueAsync(ValueProviderContext context, CancellationToken cancellationToken = default) => GetValueAsync(cancellationToken);
}

/// <summary>A value that a manifest writes as an expression such as <c>{catalog.bindings.http.url}</c>.</summary>
public interface IManifestExpressionProvider
{
    string ValueExpression { get; }
}

/// <summary>A value that is made of other values or resources.</summary>
public interface IValueWithReferences
{
    IEnumerable<object> References { get; }
}

public interface IExpressionValue : IValueProvider, IManifestExpressionProvider;

/// <summary>Who asks for a value, and from which network.</summary>
public class ValueProviderContext
{
    public DistributedApplicationExecutionContext? ExecutionContext { get; init; }
    public IResource? Caller { get; init; }
    public NetworkIdentifier? Network { get; init; }

    internal NetworkIdentifier EffectiveNetwork =>
        Network ?? (Caller is ContainerResource ? KnownNetworkIdentifiers.DefaultAspireContainerNetwork : KnownNetworkIdentifiers.LocalhostNetwork);
}

public record NetworkIdentifier(string Value);

public static class KnownNetworkIdentifiers
{
    public static readonly NetworkIdentifier LocalhostNetwork = new("localhost");
    public static readonly NetworkIdentifier PublicInternet = new(".");
    public static readonly NetworkIdentifier DefaultAspireContainerNetwork = new("aspire-container-network");
}

/// <summary>A value that somebody sets later: readers wait for the first one and then see the last one.</summary>
public sealed class ValueSnapshot<T> where T : notnull
{
    private readonly TaskCompletionSource<T> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Task<T>? _latest;

    public bool IsValueSet => _first.Task.IsCompleted;

    public Task<T> GetValueAsync(CancellationToken cancellationToken = default) => _latest ?? _first.Task.WaitAsync(cancellationToken);

    public void SetValue(T value)
    {
        if (!_first.TrySetResult(value))
        {
            _latest = Task.FromResult(value);
        }
    }

    public void SetException(Exception exception)
    {
        if (!_first.TrySetException(exception))
        {
            _latest = Task.FromException<T>(exception);
        }
    }
}
