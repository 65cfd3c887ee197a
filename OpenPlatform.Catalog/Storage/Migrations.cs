using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.Catalog.Storage;

/// <summary>One plain SQL file, applied once, in order of its number.</summary>
/// <param name="Number">Counts from 1 without gaps.</param>
/// <param name="Name">File name, for example <c>0001_catalog.sql</c>.</param>
internal sealed record Migration(int Number, string Name, string Sql)
{
    /// <summary>SHA-256 of the text with LF line ends, so that a checkout with CRLF is the same migration.</summary>
    public byte[] Checksum => SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n")));
}

/// <summary>The migrations and the database do not fit together; waiting does not help.</summary>
internal sealed class MigrationException(string message, Exception? inner = null) : Exception(message, inner);

internal static class Migrations
{
    private const string Prefix = "migrations/";

    /// <summary>The migrations embedded in this assembly.</summary>
    /// <exception cref="MigrationException">Their numbers have a gap or a duplicate.</exception>
    public static IReadOnlyList<Migration> Embedded() => Checked(
        from resource in typeof(Migrations).Assembly.GetManifestResourceNames()
        where resource.StartsWith(Prefix, StringComparison.Ordinal)
        select new Migration(NumberOf(resource[Prefix.Length..]), resource[Prefix.Length..], Read(resource)));

    /// <summary>Orders <paramref name="migrations"/> by number.</summary>
    /// <inheritdoc cref="Embedded" path="/exception"/>
    public static IReadOnlyList<Migration> Checked(IEnumerable<Migration> migrations)
    {
        Migration[] ordered = [.. migrations.OrderBy(static migration => migration.Number)];
        for (var i = 0; i < ordered.Length; i++)
        {
            if (ordered[i].Number != i + 1)
            {
                throw new MigrationException($"Migration number {i + 1} is missing or doubled: found {ordered[i].Name}. Numbers count from 1 without gaps.");
            }
        }

        return ordered;
    }

    private static int NumberOf(string name) =>
        int.TryParse(name.AsSpan(0, Math.Min(4, name.Length)), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new MigrationException($"Migration {name} must start with four digits.");

    private static string Read(string resource)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(resource)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
