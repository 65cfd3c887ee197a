using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Instances;

/// <summary>Settings under <c>OpenPlatform:Gateway:Instances</c>.</summary>
public sealed class InstanceOptions
{
    public const string Section = "OpenPlatform:Gateway:Instances";

    /// <summary>Folder of instance files, <c>&lt;service&gt;.json</c> each; null: none are read.</summary>
    public string? Directory { get; set; }

    /// <summary>Time between two looks at the files when no change was announced. 100 ms to 10 min, default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan FilePoll { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Name servers for SRV records, for example <c>10.0.0.2</c> or <c>127.0.0.1:5353</c>. Default: those of the system.</summary>
    public IList<string> NameServers { get; } = [];
}

[OptionsValidator]
internal sealed partial class InstanceOptionsValidator : IValidateOptions<InstanceOptions>;

internal sealed class InstanceOptionsRules : IValidateOptions<InstanceOptions>
{
    private const int DnsPort = 53;

    public ValidateOptionsResult Validate(string? name, InstanceOptions options)
    {
        var errors = new ValidateOptionsResultBuilder();
        for (var i = 0; i < options.NameServers.Count; i++)
        {
            if (Read(options.NameServers[i]) is null)
            {
                errors.AddError($"{InstanceOptions.Section}:NameServers:{i} must be an address with or without a port, is \"{options.NameServers[i]}\".");
            }
        }

        return errors.Build();
    }

    /// <summary>The end point that the text names, or null.</summary>
    public static IPEndPoint? Read(string text) => !IPEndPoint.TryParse(text, out var server) ? null : server.Port == 0 ? new(server.Address, DnsPort) : server;
}
