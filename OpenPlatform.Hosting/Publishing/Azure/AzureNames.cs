namespace OpenPlatform.Hosting.Publishing.Azure;

/// <summary>The forms that a name of the model takes in Bicep, in azd's environment and in Key Vault.</summary>
internal static class AzureNames
{
    /// <summary><c>admin-token</c> → <c>adminToken</c>.</summary>
    public static string Symbol(string name)
    {
        var words = Words(name);
        return string.Concat(words.Select(static (word, i) => i == 0 ? word : char.ToUpperInvariant(word[0]) + word[1..])) is var symbol && char.IsAsciiDigit(symbol[0]) ? $"_{symbol}" : symbol;
    }

    /// <summary><c>admin-token</c> → <c>ADMIN_TOKEN</c>.</summary>
    public static string Variable(string name) => string.Join('_', Words(name)).ToUpperInvariant();

    /// <summary>The variable of whoever deploys that holds a secret. Its beginning keeps <c>POSTGRES_PASSWORD</c> of some other thing away.</summary>
    public static string Variable(ParameterModel secret) => $"SECRET_{Variable(secret.Name)}";

    /// <summary><c>OpenPlatform__EnvelopeKey</c> of <c>catalog</c> → <c>catalog-openplatform-envelopekey</c>.</summary>
    public static string Secret(ServiceModel service, string variable) => string.Join('-', Words($"{service.Name}-{variable}"));

    public static string Secret(ParameterModel parameter) => string.Join('-', Words(parameter.Name));

    /// <summary><c>ConnectionStrings__catalogdb</c> → <c>catalogdb-connection-string</c>.</summary>
    public static string ConnectionSecret(string variable) => string.Join('-', Words(Connection(variable)!)) + "-connection-string";

    /// <summary>The connection that a variable holds, or null.</summary>
    public static string? Connection(string variable) => variable.StartsWith("ConnectionStrings__", StringComparison.Ordinal) ? variable["ConnectionStrings__".Length..] : null;

    public static string Migrations(ServiceModel service) => $"{service.Name}-migrations";

    public static string Storage(ServiceModel service, VolumeModel volume) => $"{service.Name}-{volume.Name}";

    private static string[] Words(string name) =>
        string.Concat(name.ToLowerInvariant().Select(static c => char.IsAsciiLetterOrDigit(c) ? c : '-')).Split('-', StringSplitOptions.RemoveEmptyEntries);
}
