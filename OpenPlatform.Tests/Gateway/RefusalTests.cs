using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway;

public sealed class RefusalTests
{
    [Fact]
    public void Every_refusal_has_one_shape_and_one_type()
    {
        Assert.Equal(Enum.GetValues<Refusal>().Where(static r => r != Refusal.None), RefusalTable.Shapes.Keys.Order());
        Assert.Equal(RefusalTable.Shapes.Count, RefusalTable.Shapes.Values.Select(static s => s.Type).Distinct().Count());
        Assert.All(RefusalTable.Shapes.Values, static s => Assert.Matches("^[a-z]+(-[a-z]+)*$", s.Slug));
    }

    [Fact]
    public void The_documented_errors_are_those_of_the_code()
    {
        var documented = File.ReadLines(Path.Combine(Repository.Root, "docs", "errors.md")).Where(static line => line.StartsWith("| `urn:", StringComparison.Ordinal));
        var coded = RefusalTable.Shapes.OrderBy(static s => s.Value.Status).ThenBy(static s => s.Key)
            .Select(static s => $"| `{s.Value.Type}` | {s.Value.Status} | {s.Value.Title} | {s.Value.Detail} |");
        Assert.Equal(coded, documented);
    }
}
