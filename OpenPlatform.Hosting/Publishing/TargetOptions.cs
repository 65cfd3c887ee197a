using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace OpenPlatform.Hosting.Publishing;

/// <summary>The options of a target, texts and choices, as configuration sets them: <c>--Kubernetes:Domain=example.com</c>.</summary>
internal sealed class TargetOptions(string section, object options)
{
    private readonly PropertyInfo[] _properties = options.GetType().GetProperties();

    /// <summary>What is wrong with the configuration, or null. An AppHost that only runs does not care.</summary>
    public string? Error { get; private set; }

    /// <summary>A line for each option: its switch and what it takes.</summary>
    public IEnumerable<string> Help => _properties.Select(p =>
        $"--{section}:{p.Name}={(p.PropertyType.IsEnum ? string.Join('|', Enum.GetNames(p.PropertyType)) : $"TEXT  (default: {(p.GetValue(options) is string { Length: > 0 } text ? text : "empty")})")}");

    public void Read(IConfiguration configuration)
    {
        foreach (var given in configuration.GetSection(section).GetChildren())
        {
            if (_properties.FirstOrDefault(p => p.Name.Equals(given.Key, StringComparison.OrdinalIgnoreCase)) is not { } property)
            {
                Error ??= $"--{section}:{given.Key} is no option. There are: {string.Join(", ", _properties.Select(p => p.Name))}.";
            }
            else if (!property.PropertyType.IsEnum)
            {
                property.SetValue(options, given.Value ?? "");
            }
            else if (Enum.GetNames(property.PropertyType).FirstOrDefault(n => n.Equals(given.Value, StringComparison.OrdinalIgnoreCase)) is { } name)
            {
                property.SetValue(options, Enum.Parse(property.PropertyType, name));
            }
            else
            {
                Error ??= $"--{section}:{property.Name} cannot be '{given.Value}'. It is one of: {string.Join(", ", Enum.GetNames(property.PropertyType))}.";
            }
        }
    }
}
