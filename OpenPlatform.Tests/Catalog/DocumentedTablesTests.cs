using System.Diagnostics.Metrics;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Catalog;
using OpenPlatform.Catalog.Storage;
using OpenPlatform.Tests.Architecture;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.Catalog;

public sealed class DocumentedTablesTests(SharedPostgres postgres)
{
    [Fact]
    public async Task The_documented_metrics_of_the_catalog_are_those_of_the_code()
    {
        await using var catalog = new CatalogServer(await postgres.CreateDatabaseAsync());
        await catalog.ReadyAsync();
        _ = catalog.Services.GetRequiredService<ReadDatabase>();
        var found = new SortedSet<string>(StringComparer.Ordinal);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Name.StartsWith("openplatform.catalog.", StringComparison.Ordinal))
                {
                    var kind = instrument.GetType().Name;
                    found.Add($"`{instrument.Name}` | {kind[..kind.IndexOf('`', StringComparison.Ordinal)]} | `{instrument.Unit}` | {instrument.Description}");
                }
            },
        };
        listener.Start();
        Assert.Equal(Repository.Table("docs/metrics.md", "| Instrument of the catalog | Kind | Unit | Meaning |").Select(static row => string.Join(" | ", row)), found);
    }

    [Fact]
    public void The_documented_settings_and_defaults_of_the_catalog_are_those_of_the_code()
    {
        const string Root = "OpenPlatform:";
        var coded = typeof(CatalogApp).Assembly.GetTypes()
            .Select(static type => (Type: type, Section: type.GetField("Section", BindingFlags.Public | BindingFlags.Static)?.GetRawConstantValue() as string))
            .Where(static options => options.Section?.StartsWith(Root, StringComparison.Ordinal) == true)
            .SelectMany(static options => options.Type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(property =>
                $"`{options.Section![Root.Length..]}:{property.Name}` {Text(property.GetValue(Activator.CreateInstance(options.Type)))}"))
            .Order(StringComparer.Ordinal);

        Assert.Equal(coded, Repository.Table("docs/configuration.md", "| Setting of the catalog | Default | Meaning |").Select(static row => $"{row[0]} {row[1].Trim('`')}").Order(StringComparer.Ordinal));
    }

    private static string Text(object? value) => value switch
    {
        null or System.Collections.ICollection { Count: 0 } => "none",
        bool flag => flag ? "true" : "false",
        TimeSpan { TotalMilliseconds: < 1000 } time => $"{time.TotalMilliseconds} ms",
        TimeSpan { TotalSeconds: < 60 } time => $"{time.TotalSeconds} s",
        TimeSpan { TotalMinutes: < 60 } time => $"{time.TotalMinutes} min",
        TimeSpan { TotalHours: < 48 } time => $"{time.TotalHours} h",
        TimeSpan time => $"{time.TotalDays} days",
        int or long => ((IFormattable)value).ToString("N0", CultureInfo.InvariantCulture),
        _ => value.ToString() is { Length: > 0 } text ? text : "none",
    };
}
