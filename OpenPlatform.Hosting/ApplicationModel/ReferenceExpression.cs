using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>Text with holes filled by values that are known later: <c>ReferenceExpression.Create($"Host={endpoint.Property(EndpointProperty.Host)}")</c>.</summary>
[DebuggerDisplay("{ValueExpression}")]
public class ReferenceExpression : IExpressionValue, IValueWithReferences
{
    public static readonly ReferenceExpression Empty = new("", [], [], []);

    private ReferenceExpression(string format, IReadOnlyList<IValueProvider> providers, IReadOnlyList<string> expressions, IReadOnlyList<string?> formats) =>
        (Format, ValueProviders, ManifestExpressions, StringFormats) = (format, providers, expressions, formats);

    /// <summary>A composite format string: literal braces are doubled, <c>{n}</c> is the n-th value.</summary>
    public string Format { get; }
    public IReadOnlyList<IValueProvider> ValueProviders { get; }
    public IReadOnlyList<string> ManifestExpressions { get; }
    public IReadOnlyList<string?> StringFormats { get; }

    public string ValueExpression => Fill(ManifestExpressions);

    IEnumerable<object> IValueWithReferences.References => ValueProviders;

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => GetValueAsync(new ValueProviderContext(), cancellationToken);

    /// <returns>The text, or null when there is nothing but one value and that value is null.</returns>
    public async ValueTask<string?> GetValueAsync(ValueProviderContext context, CancellationToken cancellationToken = default)
    {
        var values = new string?[ValueProviders.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = ApplyFormat(await ValueProviders[i].GetValueAsync(context, cancellationToken), StringFormats[i]);
        }
        return Format == "{0}" ? values[0] : Fill(values);
    }

    public static ReferenceExpression Create(in ExpressionInterpolatedStringHandler handler) => handler.Build();

    internal static ReferenceExpression Create(string format, IReadOnlyList<IValueProvider> providers, IReadOnlyList<string> expressions, IReadOnlyList<string?> formats) =>
        format.Length == 0 ? Empty : new(format, providers, expressions, formats);

    internal string Fill(IEnumerable<object?> values) => string.Format(null, CompositeFormat.Parse(Format), [.. values]);

    private static string? ApplyFormat(string? value, string? format) => (value, format) switch
    {
        (null, _) or (_, null) => value,
        (_, "uri") => Uri.EscapeDataString(value),
        _ => throw new FormatException($"The format '{format}' is unknown in a reference expression; 'uri' is the one that exists."),
    };

    [InterpolatedStringHandler]
    public readonly ref struct ExpressionInterpolatedStringHandler(int literalLength, int formattedCount)
    {
        private readonly ReferenceExpressionBuilder _builder = new(literalLength + 4 * formattedCount);

        public void AppendLiteral(string value) => _builder.AppendLiteral(value);
        public void AppendFormatted(string? value) => _builder.AppendFormatted(value);
        public void AppendFormatted(string? value, string? format = null) => _builder.AppendFormatted(value, format);
        public void AppendFormatted<T>(T valueProvider) where T : IValueProvider, IManifestExpressionProvider => _builder.AppendFormatted(valueProvider);
        public void AppendFormatted<T>(T valueProvider, string? format = null) where T : IValueProvider, IManifestExpressionProvider => _builder.AppendFormatted(valueProvider, format);
        public void AppendFormatted<T>(IResourceBuilder<T> valueProvider) where T : IResource, IValueProvider, IManifestExpressionProvider => _builder.AppendFormatted(valueProvider.Resource);
        public void AppendFormatted<T>(IResourceBuilder<T> valueProvider, string? format = null) where T : IResource, IValueProvider, IManifestExpressionProvider =>
            _builder.AppendFormatted(valueProvider.Resource, format);

        internal ReferenceExpression Build() => _builder.Build();
    }

    internal static string? FormatLiteral(string? value, string? format) => ApplyFormat(value, format);
}

/// <summary>Builds a <see cref="ReferenceExpression"/> piece by piece.</summary>
public class ReferenceExpressionBuilder(int capacity = 64)
{
    private readonly StringBuilder _format = new(capacity);
    private readonly List<IValueProvider> _providers = [];
    private readonly List<string> _expressions = [];
    private readonly List<string?> _formats = [];

    public ReferenceExpressionBuilder() : this(64) { }

    public bool IsEmpty => _format.Length == 0;

#pragma warning disable CA1822 // The handler, which got this builder, has written already.
    public void Append([InterpolatedStringHandlerArgument("")] in ReferenceExpressionBuilderInterpolatedStringHandler handler) => _ = handler;
#pragma warning restore CA1822

    public void AppendLiteral(string value) => _format.Append(value.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));
    public void AppendFormatted(string? value) => AppendFormatted(value, format: null);

    public void AppendFormatted(string? value, string? format = null)
    {
        if (ReferenceExpression.FormatLiteral(value, format) is { } text)
        {
            AppendLiteral(text);
        }
    }

    public void AppendFormatted<T>(T valueProvider) where T : IValueProvider, IManifestExpressionProvider => AppendFormatted(valueProvider, format: null);

    public void AppendFormatted<T>(T valueProvider, string? format) where T : IValueProvider, IManifestExpressionProvider
    {
        _format.Append('{').Append(_providers.Count).Append('}');
        _providers.Add(valueProvider);
        _expressions.Add(valueProvider.ValueExpression);
        _formats.Add(format);
    }

    public ReferenceExpression Build() => ReferenceExpression.Create(_format.ToString(), [.. _providers], [.. _expressions], [.. _formats]);

    [InterpolatedStringHandler]
    public readonly ref struct ReferenceExpressionBuilderInterpolatedStringHandler
    {
        private readonly ReferenceExpressionBuilder _builder;

        public ReferenceExpressionBuilderInterpolatedStringHandler(int literalLength, int formattedCount, ReferenceExpressionBuilder builder)
        {
            builder._format.EnsureCapacity(builder._format.Length + literalLength + 4 * formattedCount);
            _builder = builder;
        }

        public void AppendLiteral(string value) => _builder.AppendLiteral(value);
        public void AppendFormatted(string? value) => _builder.AppendFormatted(value);
        public void AppendFormatted(string? value, string format) => _builder.AppendFormatted(value, format);
        public void AppendFormatted<T>(T valueProvider) where T : IValueProvider, IManifestExpressionProvider => _builder.AppendFormatted(valueProvider);
        public void AppendFormatted<T>(T valueProvider, string? format) where T : IValueProvider, IManifestExpressionProvider => _builder.AppendFormatted(valueProvider, format);
        public void AppendFormatted<T>(IResourceBuilder<T> valueProvider) where T : IResource, IValueProvider, IManifestExpressionProvider => _builder.AppendFormatted(valueProvider.Resource);
        public void AppendFormatted<T>(IResourceBuilder<T> valueProvider, string? format) where T : IResource, IValueProvider, IManifestExpressionProvider =>
            _builder.AppendFormatted(valueProvider.Resource, format);
    }
}
