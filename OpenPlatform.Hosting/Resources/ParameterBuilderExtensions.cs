using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Publishing;
using Microsoft.Extensions.Configuration;
using OpenPlatform.Hosting;

namespace Aspire.Hosting;

/// <summary>Values from outside as resources.</summary>
public static class ParameterResourceBuilderExtensions
{
    /// <summary>The value is the configuration's <c>Parameters:name</c> (as environment variable <c>Parameters__name</c>, where a hyphen may be an underscore).</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, string name, bool secret = false) =>
        builder.Add(CreateParameter(builder, name, secret));

    /// <param name="publishValueAsDefault">Published manifests carry the value; not allowed for secrets.</param>
    public static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, string name, string value, bool publishValueAsDefault = false, bool secret = false) =>
        builder.AddParameter(name, () => value, publishValueAsDefault, secret);

    public static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, string name, Func<string> valueGetter, bool publishValueAsDefault = false, bool secret = false) =>
        publishValueAsDefault && secret
            ? throw new ArgumentException($"Parameter '{name}' is secret, so its value cannot be published.", nameof(publishValueAsDefault))
            : builder.Add(new ParameterResource(name, _ => valueGetter(), secret) { Default = publishValueAsDefault ? new ConstantParameterDefault(valueGetter) : null });

    /// <summary>A value from configuration, or else the default.</summary>
    /// <param name="persist">A generated default is kept in the AppHost's user secrets, so that the next run has the same.</param>
    public static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret = false, bool persist = false) =>
        builder.Add(CreateParameter(builder, name, secret, persist ? Kept(builder, name, value) : value));

    public static IResourceBuilder<ParameterResource> AddParameterFromConfiguration(this IDistributedApplicationBuilder builder, string name, string configurationKey, bool secret = false) =>
        builder.Add(new ParameterResource(name, _ => Configured(builder.Configuration, name, configurationKey, parameterDefault: null), secret) { ConfigurationKey = configurationKey });

    public static IResourceBuilder<ParameterResource> WithDescription(this IResourceBuilder<ParameterResource> builder, string description, bool enableMarkdown = false)
    {
        (builder.Resource.Description, builder.Resource.EnableDescriptionMarkdown) = (description, enableMarkdown);
        return builder;
    }

    /// <summary>A connection string from the configuration's <c>ConnectionStrings:name</c>.</summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(this IDistributedApplicationBuilder builder, string name, string? environmentVariableName = null) =>
        builder.Add(new ConnectionStringParameterResource(name, () => Configured(builder.Configuration, name, $"ConnectionStrings:{name}", parameterDefault: null), environmentVariableName));

    /// <summary>A connection string made of other values.</summary>
    public static IResourceBuilder<ConnectionStringResource> AddConnectionString(this IDistributedApplicationBuilder builder, string name, ReferenceExpression connectionStringExpression) =>
        builder.AddResource(new ConnectionStringResource(name, connectionStringExpression))
            .WithInitialState(new() { ResourceType = "ConnectionString", State = KnownResourceStates.Waiting, Properties = [] })
            .WithReferenceRelationship(connectionStringExpression);

    public static IResourceBuilder<ConnectionStringResource> AddConnectionString(this IDistributedApplicationBuilder builder, string name, Action<ReferenceExpressionBuilder> connectionStringBuilder)
    {
        var expression = new ReferenceExpressionBuilder();
        connectionStringBuilder(expression);
        return builder.AddConnectionString(name, expression.Build());
    }

    /// <summary>A secret parameter with a generated value (128 bits), not yet part of the application; what owns it refers to it.</summary>
    public static ParameterResource CreateDefaultPasswordParameter(IDistributedApplicationBuilder builder, string name, bool lower = true, bool upper = true, bool numeric = true, bool special = true,
        int minLower = 0, int minUpper = 0, int minNumeric = 0, int minSpecial = 0) =>
        CreateGeneratedParameter(builder, name, secret: true, new()
        {
            Lower = lower, Upper = upper, Numeric = numeric, Special = special, MinLower = minLower, MinUpper = minUpper, MinNumeric = minNumeric, MinSpecial = minSpecial,
        });

    public static ParameterResource CreateGeneratedParameter(IDistributedApplicationBuilder builder, string name, bool secret, GenerateParameterDefault parameterDefault) =>
        CreateParameter(builder, name, secret, Kept(builder, name, parameterDefault));

    public static ParameterResource CreateParameter(IDistributedApplicationBuilder builder, string name, bool secret) => CreateParameter(builder, name, secret, parameterDefault: null);

    private static ParameterResource CreateParameter(IDistributedApplicationBuilder builder, string name, bool secret, ParameterDefault? parameterDefault) =>
        new(name, current => Configured(builder.Configuration, name, $"Parameters:{name}", current), secret) { Default = parameterDefault };

    private static ParameterDefault Kept(IDistributedApplicationBuilder builder, string name, ParameterDefault value) =>
        builder.ExecutionContext.IsRunMode && builder is DistributedApplicationBuilder { Options.TemporaryData: false, AppHostAssembly: { } assembly } && UserSecretsFile.Of(assembly) is { } file
            ? new KeptParameterDefault(value, $"Parameters:{name}", file)
            : value;

    private static string Configured(IConfiguration configuration, string name, string key, ParameterDefault? parameterDefault) =>
        // A shell does not take hyphens in variable names.
        configuration[key] ?? configuration[key.Replace('-', '_')] ?? parameterDefault?.GetDefaultValue()
        ?? throw new MissingParameterValueException($"'{name}' has no value: set the configuration key '{key}', e.g. the environment variable {key.Replace(":", "__", StringComparison.Ordinal).Replace('-', '_')}.");

    private static IResourceBuilder<T> Add<T>(this IDistributedApplicationBuilder builder, T parameter) where T : ParameterResource =>
        builder.AddResource(parameter).WithInitialState(new()
        {
            ResourceType = parameter.IsConnectionString ? "ConnectionString" : "Parameter",
            State = KnownResourceStates.Waiting,
            Properties = [new(KnownProperties.Source, parameter.ConfigurationKey)],
        });
}

internal sealed class ConnectionStringParameterResource : ParameterResource, IResourceWithConnectionString
{
    internal ConnectionStringParameterResource(string name, Func<string> value, string? environmentVariable) : base(name, _ => value(), secret: true)
    {
        IsConnectionString = true;
        ConnectionStringEnvironmentVariable = environmentVariable;
    }

    public string? ConnectionStringEnvironmentVariable { get; }
    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{(ParameterResource)this}");
    string IManifestExpressionProvider.ValueExpression => $"{{{Name}.connectionString}}";
}

/// <summary>A random value: at least <see cref="MinLength"/> characters of the chosen kinds; 22 of all kinds are 128 bits.</summary>
public sealed class GenerateParameterDefault : ParameterDefault
{
    // No letters that look alike, and only special characters that need no escape in a URL, a shell or a connection string.
    private const string LowerLetters = "abcdefghjkmnpqrstuvwxyz", UpperLetters = "ABCDEFGHJKMNPQRSTUVWXYZ", Digits = "0123456789", Specials = "-_.{}~()*+!";

    public int MinLength { get; set; } = 22;
    public bool Lower { get; set; } = true;
    public bool Upper { get; set; } = true;
    public bool Numeric { get; set; } = true;
    public bool Special { get; set; } = true;
    public int MinLower { get; set; }
    public int MinUpper { get; set; }
    public int MinNumeric { get; set; }
    public int MinSpecial { get; set; }

    public override string GetDefaultValue()
    {
        (bool Use, string Characters, int Minimum, string Field)[] kinds =
            [(Lower, LowerLetters, MinLower, nameof(MinLower)), (Upper, UpperLetters, MinUpper, nameof(MinUpper)), (Numeric, Digits, MinNumeric, nameof(MinNumeric)), (Special, Specials, MinSpecial, nameof(MinSpecial))];
        if (MinLength < 1 || MinLength > 1024)
        {
            throw new InvalidOperationException($"{nameof(MinLength)} of a generated parameter must lie between 1 and 1024, not {MinLength}.");
        }
        if (Array.Find(kinds, k => k.Minimum < 0 || (k.Minimum > 0 && !k.Use)) is { Field: not null } wrong)
        {
            throw new InvalidOperationException($"{wrong.Field} of a generated parameter is {wrong.Minimum}, which is negative or asks for characters that are switched off.");
        }
        var all = string.Concat(kinds.Where(k => k.Use).Select(k => k.Characters));
        if (all.Length == 0)
        {
            throw new InvalidOperationException($"A generated parameter needs at least one of {nameof(Lower)}, {nameof(Upper)}, {nameof(Numeric)} and {nameof(Special)}.");
        }
        var required = kinds.SelectMany(k => RandomNumberGenerator.GetItems<char>(k.Characters, k.Minimum)).ToArray();
        char[] value = [.. required, .. RandomNumberGenerator.GetItems<char>(all, Math.Max(0, MinLength - required.Length))];
        RandomNumberGenerator.Shuffle(value.AsSpan());
        return new(value);
    }

    public override void WriteToManifest(ManifestPublishingContext context)
    {
        var writer = context.Writer;
        writer.WriteStartObject("generate");
        writer.WriteNumber("minLength", MinLength);
        foreach (var (name, used) in new[] { ("lower", Lower), ("upper", Upper), ("numeric", Numeric), ("special", Special) })
        {
            if (!used)
            {
                writer.WriteBoolean(name, value: false);
            }
        }
        foreach (var (name, minimum) in new[] { ("minLower", MinLower), ("minUpper", MinUpper), ("minNumeric", MinNumeric), ("minSpecial", MinSpecial) })
        {
            if (minimum != 0)
            {
                writer.WriteNumber(name, minimum);
            }
        }
        writer.WriteEndObject();
    }
}

internal sealed class ConstantParameterDefault(Func<string> value) : ParameterDefault
{
    public override string GetDefaultValue() => value();
    public override void WriteToManifest(ManifestPublishingContext context) => context.Writer.WriteString("value", value());
}

/// <summary>Keeps what the inner default makes in the AppHost's user secrets.</summary>
internal sealed class KeptParameterDefault(ParameterDefault inner, string key, UserSecretsFile file) : ParameterDefault
{
    internal ParameterDefault Inner => inner;
    public override string GetDefaultValue() => file.GetOrAdd(key, inner.GetDefaultValue);
    public override void WriteToManifest(ManifestPublishingContext context) => inner.WriteToManifest(context);
}
