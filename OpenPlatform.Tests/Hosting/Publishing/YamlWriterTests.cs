using FsCheck;
using FsCheck.Fluent;
using OpenPlatform.Hosting.Publishing.Yaml;
using YamlDotNet.RepresentationModel;
using YamlNode = OpenPlatform.Hosting.Publishing.Yaml.YamlNode;

namespace OpenPlatform.Tests.Hosting.Publishing;

/// <summary>Whatever is written is read back the same by a reader that nobody here wrote.</summary>
public sealed class YamlWriterTests
{
    [Theory]
    [InlineData("yes")]
    [InlineData("NO")]
    [InlineData("null")]
    [InlineData("~")]
    [InlineData("1e3")]
    [InlineData("0x1F")]
    [InlineData("012")]
    [InlineData("1_000")]
    [InlineData(".5")]
    [InlineData("12:30:45")]
    [InlineData("2026-01-01")]
    [InlineData("")]
    [InlineData(" leading")]
    [InlineData("- dash")]
    [InlineData("a: b")]
    [InlineData("a #b")]
    [InlineData("\"quoted\" \\ \u0007 \u2028")]
    [InlineData("one\ntwo\n")]
    [InlineData("one\n\n  two")]
    [InlineData("\nfirst")]
    [InlineData("*alias &anchor !tag %x @y `z`")]
    public void A_text_stays_that_text(string text) => AssertKept(text);

    [Fact]
    public void Whatever_the_text_it_is_kept() => Prop.ForAll<string>(text => AssertKept(Clean(text ?? ""))).QuickCheckThrowOnFailure();

    [Fact]
    public void Keys_keep_their_order_and_null_is_left_out() => Assert.Equal(
        "b: 1\na:\n- x: true\n  \"y\": []\n- z\nempty: {}\n",
        YamlWriter.Write(new YamlMap { ["b"] = 1, ["none"] = null, ["a"] = new YamlList { new YamlMap { ["x"] = true, ["y"] = new YamlList() }, "z", null }, ["empty"] = new YamlMap() }));

    // A lone surrogate is no text in any encoding of YAML.
    private static string Clean(string text) => string.Concat(text.Where(c => !char.IsSurrogate(c) && c is not ('\ufffe' or '\uffff' or '\r')));

    private static void AssertKept(string text)
    {
        YamlNode document = new YamlMap { ["key"] = text, ["list"] = new YamlList { new YamlMap { ["in"] = text } } };
        var stream = new YamlStream();
        stream.Load(new StringReader(YamlWriter.Write(document)));
        var root = (YamlMappingNode)stream.Documents[0].RootNode;
        Assert.Equal(text, ((YamlScalarNode)root["key"]).Value);
        Assert.Equal(text, ((YamlScalarNode)root["list"][0]["in"]).Value);
        // A plain text must be one for every reader: nothing that looks like a number, a date or a word of YAML 1.1.
        if (((YamlScalarNode)root["key"]).Style == YamlDotNet.Core.ScalarStyle.Plain)
        {
            Assert.Matches("^[A-Za-z_/.]", text);
        }
    }
}
