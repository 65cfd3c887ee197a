using System.Net;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.PrivatePort;

/// <summary>Settings under <c>OpenPlatform:Gateway:PrivatePort</c>.</summary>
public sealed class PrivatePortOptions
{
    public const string Section = "OpenPlatform:Gateway:PrivatePort";

    /// <summary>Where operators and probes reach this gateway, for example <c>http://0.0.0.0:8081</c>; empty: nowhere. Beyond the loopback
    /// everything but the probes asks for the service token. Default: a free port of the loopback, which the log names.</summary>
    public string Url { get; set; } = "http://127.0.0.1:0";

    internal bool IsLoopback => Uri.TryCreate(Url, UriKind.Absolute, out var url) && (url.Host == "localhost" || (IPAddress.TryParse(url.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address)));
}

internal sealed class PrivatePortOptionsValidator(IConfiguration configuration) : IValidateOptions<PrivatePortOptions>
{
    public ValidateOptionsResult Validate(string? name, PrivatePortOptions options)
    {
        const string Field = $"{PrivatePortOptions.Section}:{nameof(PrivatePortOptions.Url)}";
        if (options.Url.Length == 0)
        {
            return ValidateOptionsResult.Success;
        }

        if (!Uri.TryCreate(options.Url, UriKind.Absolute, out var url) || url.Scheme != Uri.UriSchemeHttp || url.PathAndQuery != "/")
        {
            return ValidateOptionsResult.Fail($"{Field} must be an http URL without a path, such as http://127.0.0.1:8081.");
        }

        return options.IsLoopback || !string.IsNullOrEmpty(configuration["OpenPlatform:ServiceToken"])
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail($"{Field} is reachable from elsewhere; that needs OpenPlatform:ServiceToken, which callers must present.");
    }
}
