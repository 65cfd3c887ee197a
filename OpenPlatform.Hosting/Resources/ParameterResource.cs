using System.Diagnostics.CodeAnalysis;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A value that comes from outside: configuration, a secret store, a generated default. A secret is masked wherever it is shown.</summary>
public class ParameterResource : Resource, IExpressionValue, IResourceWithoutLifetime
{
    private readonly Lazy<string> _value;

    public ParameterResource(string name, Func<ParameterDefault?, string> callback, bool secret = false) : base(name)
    {
        ArgumentNullException.ThrowIfNull(callback);
        _value = new(() => callback(Default));
        Secret = secret;
    }

    public bool Secret { get; }
    public ParameterDefault? Default { get; set; }
    public string? Description { get; set; }
    public bool EnableDescriptionMarkdown { get; set; }
    public bool IsConnectionString { get; set; }
    public string ValueExpression => $"{{{Name}.value}}";

    [Obsolete("Use GetValueAsync, or pass the parameter itself to WithEnvironment and the like.")]
    public string Value => _value.Value;

    /// <summary>While the application runs without the value, whoever needs it waits.</summary>
    /// <exception cref="MissingParameterValueException">Nobody gave a value (when publishing, or before the start).</exception>
    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) =>
        Missing is { } missing ? await missing.Task.WaitAsync(cancellationToken) : _value.Value;

    public ValueTask<string?> GetValueAsync(ValueProviderContext context, CancellationToken cancellationToken = default) => GetValueAsync(cancellationToken);

    /// <summary>Set when the application starts without the value.</summary>
    internal TaskCompletionSource<string>? Missing { get; set; }

    internal string ConfigurationKey { get => field ??= (IsConnectionString ? "ConnectionStrings:" : "Parameters:") + Name; set; }

    internal bool TryGetValue([NotNullWhen(true)] out string? value, [NotNullWhen(false)] out string? reason)
    {
        try
        {
            (value, reason) = (_value.Value, null);
            return true;
        }
        catch (MissingParameterValueException error)
        {
            (value, reason) = (null, error.Message);
            return false;
        }
    }
}

public abstract class ParameterDefault
{
    public abstract string GetDefaultValue();
    public abstract void WriteToManifest(Publishing.ManifestPublishingContext context);
}
