using System.Diagnostics.Metrics;
using System.Globalization;
using System.Reflection;
using OpenPlatform.Gateway;
using OpenPlatform.Tests.Gateway.Support;
using Tables = OpenPlatform.Tests.Architecture.Repository;

namespace OpenPlatform.Tests.Gateway.Observability;

public sealed class DocumentedTablesTests
{
    [Fact]
    public async Task The_documented_metrics_are_those_of_the_code()
    {
        await using var gateway = await GatewayHost.StartAsync(catalog: null, untilReady: false);
        _ = gateway.Services;
        var found = new SortedSet<string>(StringComparer.Ordinal);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Name.StartsWith("openplatform.gateway.", StringComparison.Ordinal))
                {
                    var kind = instrument.GetType().Name;
                    found.Add($"`{instrument.Name}` | {kind[..kind.IndexOf('`', StringComparison.Ordinal)]} | `{instrument.Unit}` | {instrument.Description}");
                }
            },
        };
        listener.Start();
        Assert.Equal(Tables.Table("docs/metrics.md", "| Instrument | Kind | Unit | Meaning |").Select(static row => string.Join(" | ", row)), found);
    }

    [Fact]
    public void The_documented_settings_and_defaults_are_those_of_the_code()
    {
        const string Root = "OpenPlatform:Gateway:";
        var coded = typeof(GatewayApp).Assembly.GetTypes()
            .Select(static type => (Type: type, Section: type.GetField("Section", BindingFlags.Public | BindingFlags.Static)?.GetRawConstantValue() as string))
            .Where(static options => options.Section?.StartsWith(Root, StringComparison.Ordinal) == true)
            .SelectMany(options => options.Type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(property =>
                (Name: $"{options.Section![Root.Length..]}:{property.Name}{(IsList(property) ? ":<n>" : "")}", Default: IsList(property) ? null : Text(property.Name, property.GetValue(Activator.CreateInstance(options.Type))))))
            .ToDictionary(static setting => setting.Name, static setting => setting.Default, StringComparer.Ordinal);
        var header = File.ReadLines(Path.Combine(Repository.Root, "docs", "configuration.md")).Single(static line => line.StartsWith("| Setting | Default |", StringComparison.Ordinal));
        var documented = Tables.Table("docs/configuration.md", header).ToDictionary(static row => row[0].Trim('`'), static row => row[1].Trim('`'), StringComparer.Ordinal);

        Assert.Equal(coded.Keys.Order(StringComparer.Ordinal), documented.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([], coded.Where(setting => setting.Value is not null && setting.Value != documented[setting.Key]).Select(setting => $"{setting.Key}: {setting.Value}, not {documented[setting.Key]}"));
    }

    private static bool IsList(PropertyInfo property) => property.PropertyType != typeof(string) && property.PropertyType.IsAssignableTo(typeof(System.Collections.IEnumerable));

    private static string Text(string name, object? value) => value switch
    {
        null => "none",
        TimeSpan { Ticks: 0 } => "off",
        bool flag => flag ? "true" : "false",
        TimeSpan { TotalMilliseconds: < 1000 } time => $"{time.TotalMilliseconds} ms",
        TimeSpan { TotalSeconds: < 60 } time => $"{time.TotalSeconds} s",
        TimeSpan { TotalMinutes: < 60 } time => $"{time.TotalMinutes} min",
        TimeSpan time => $"{time.TotalHours} h",
        int or long when name.EndsWith("Bytes", StringComparison.Ordinal) => Bytes(Convert.ToInt64(value, CultureInfo.InvariantCulture)),
        IFormattable number when value is int or long => number.ToString("N0", CultureInfo.InvariantCulture),
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    private static string Bytes(long bytes) => bytes switch
    {
        >= 1 << 30 => $"{bytes >> 30} GiB",
        >= 1 << 20 => $"{bytes >> 20} MiB",
        _ => $"{bytes >> 10} KiB",
    };
}
