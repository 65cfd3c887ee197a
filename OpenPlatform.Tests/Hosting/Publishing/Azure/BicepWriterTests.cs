using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;

namespace OpenPlatform.Tests.Hosting.Publishing.Azure;

public sealed class BicepWriterTests
{
    [Theory]
    [InlineData("plain", "'plain'")]
    [InlineData("it's", @"'it\'s'")]
    [InlineData(@"C:\", @"'C:\\'")]
    [InlineData("${not a hole}", @"'\${not a hole}'")]
    [InlineData("$5 $$ {}", "'$5 $$ {}'")]
    [InlineData("two\nlines\t\r", @"'two\nlines\t\r'")]
    [InlineData("\u0001é→", @"'\u{1}é→'")]
    public void A_text_means_itself(string text, string written) => Assert.Equal(written, BicepWriter.Inline(text));

    [Fact]
    public void Texts_and_holes_are_one_text() =>
        Assert.Equal("'Host=${server.name};Cost=$${price}'", BicepWriter.Inline(Text("Host=", Symbol("server").Get("name"), ";Cost=$", Symbol("price"))));

    [Fact]
    public void A_hole_alone_is_the_expression() => Assert.Equal("server.name", BicepWriter.Inline(Text(Symbol("server.name"))));

    [Fact]
    public async Task What_is_written_the_compiler_reads_and_writes_the_same_way()
    {
        string[] texts = ["it's", @"C:\", "${not a hole}", "$5 $$ {}", "two\nlines\t\r", "\u0001é→", ""];
        var file = new BicepFile("Everything that there is.")
        {
            new BicepParameter("size", "int", "With 'quotes' and ${no hole}.", 3, false, ("minValue", 1), ("maxValue", 5)),
            new BicepVariable("list", List([1, true, new BicepMap(), new BicepList(), new BicepMap { ["odd key"] = Symbol("size"), ["none"] = null }])),
            texts.Select(static (t, i) => new BicepOutput($"text{i}", "string", t, "Its own text.")),
            new BicepOutput("all", "array", Symbol("list"), "A list."),
            new BicepOutput("chosen", "string", Choose(Symbol("size > 3"), "large", Text("size ", Symbol("size"))), "A choice."),
        };
        var folder = Directory.CreateTempSubdirectory("openplatform-bicep-");
        try
        {
            var path = Path.Combine(folder.FullName, "all.bicep");
            await File.WriteAllTextAsync(path, BicepWriter.Write(file), TestContext.Current.CancellationToken);
            Assert.Equal("", await BicepCompiler.BuildAsync(folder.FullName));
            var outputs = System.Text.Json.Nodes.JsonNode.Parse(await File.ReadAllTextAsync(Path.ChangeExtension(path, ".json"), TestContext.Current.CancellationToken))!["outputs"]!;
            Assert.All(texts.Index(), t => Assert.Equal(t.Item, (string?)outputs[$"text{t.Index}"]!["value"]));

            await BicepCompiler.FormatAsync(folder.FullName);
            Assert.Equal(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken), BicepWriter.Write(file));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
