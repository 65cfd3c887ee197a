using OpenPlatform.Tests.Architecture;

namespace OpenPlatform.Tests.EndToEnd;

public sealed class AppHostSourceTests
{
    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(Repository.Root, "OpenPlatform.AppHost", "AppHost.cs"));

    [Fact]
    public void The_AppHost_fits_on_one_screen() => Assert.True(Lines.Length <= 60, $"AppHost.cs has {Lines.Length} lines.");

    [Fact]
    public void What_goes_beyond_Aspire_is_marked()
    {
        var own = typeof(OpenPlatform.Hosting.LocalServerAnnotation).Assembly.GetExportedTypes()
            .Where(static t => t.Namespace == "OpenPlatform.Hosting" && t is { IsAbstract: true, IsSealed: true })
            .SelectMany(static t => t.GetMethods()).Where(static m => m.IsStatic).Select(static m => m.Name).Distinct();

        Assert.All(own, name => Assert.All(
            Lines.Where(line => line.Contains($".{name}(", StringComparison.Ordinal)),
            static line => Assert.Contains("// [+]", line, StringComparison.Ordinal)));
    }
}
