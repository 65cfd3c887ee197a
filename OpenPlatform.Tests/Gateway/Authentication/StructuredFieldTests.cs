using System.Text;
using FsCheck;
using FsCheck.Fluent;
using OpenPlatform.Gateway.Authentication.Signatures;
using OpenPlatform.Gateway.Authentication.Tokens;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>Parsers of what strangers send: they give a value or none, and nothing else.</summary>
public sealed class StructuredFieldTests
{
    private static readonly string[] Right =
    [
        """sig1=("@method" "@query-param";name="Pet" "x-a");created=1618884473;keyid="test";nonce="b\"\\3";alg="x", sig2=()""",
        "a, b;x=1, c=?0;y=*tok/en, d=-12.5, e=:aGVsbG8=:, f=(1 2.0 ?1 :: tok)",
        "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
    ];

    [Theory]
    [InlineData("a=1", "1")]
    [InlineData("  a=( \"x\"   \"y\" );b ", "(\"x\" \"y\");b")]
    [InlineData("a=007", "7")]
    [InlineData("a=1.50;q=?1;r=?0", "1.5;q;r=?0")]
    [InlineData("a=1, a=2", "2")]
    [InlineData("a;x=1;x=2", "?1;x=2")]
    [InlineData("a=:aGk=:", ":aGk=:")]
    [InlineData("a=\"q\\\"\\\\\"", "\"q\\\"\\\\\"")]
    public void What_is_read_is_written_in_its_canonical_form(string text, string canonical)
    {
        var written = new StringBuilder();
        StructuredField.Write(written, StructuredField.ParseDictionary(text)!.Single().Value);
        Assert.Equal(canonical, written.ToString());
    }

    [Theory]
    [InlineData("A=1")]
    [InlineData("a=1,")]
    [InlineData("a=1 b=2")]
    [InlineData("a=")]
    [InlineData("a=\"")]
    [InlineData("a=\"\\x\"")]
    [InlineData("a=\"\u00e9\"")]
    [InlineData("a=:%:")]
    [InlineData("a=(1")]
    [InlineData("a=(1\"x\")")]
    [InlineData("a=1234567890123456")]
    [InlineData("a=1.2345")]
    [InlineData("a=1.")]
    [InlineData("a=-")]
    [InlineData("a=?2")]
    [InlineData("a=@1")]
    public void What_is_not_a_dictionary_is_none(string text) => Assert.Null(StructuredField.ParseDictionary(text));

    [Fact]
    public void Reading_what_was_written_gives_the_same()
    {
        foreach (var text in Right)
        {
            var once = Write(StructuredField.ParseDictionary(text)!);
            Assert.Equal(once, Write(StructuredField.ParseDictionary(once)!));
        }
    }

    /// <summary>Mutated fields and noise: a dictionary whose canonical form reads back as itself, or null.</summary>
    [Fact]
    public void Foreign_text_never_crashes_the_parser()
    {
        var random = new Random(9421);
        for (var round = 0; round < 20_000; round++)
        {
            var text = Mutate(Right[random.Next(Right.Length)], random);
            if (StructuredField.ParseDictionary(text) is { } members)
            {
                var once = Write(members);
                Assert.Equal(once, Write(StructuredField.ParseDictionary(once)!));
            }

            ContentDigest.Parse(text);
        }

        Check.QuickThrowOnFailure(Prop.ForAll(ArbMap.Default.ArbFor<string?>(), static text => { StructuredField.ParseDictionary(text ?? string.Empty); }));
    }

    [Fact]
    public void Foreign_text_never_crashes_the_token_reader()
    {
        var random = new Random(9068);
        const string Token = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJpIiwiYXVkIjoiYSIsImV4cCI6MX0.AAAA";
        Assert.NotNull(TokenAuthenticator.Read(Token));
        var read = 0;
        for (var round = 0; round < 20_000; round++)
        {
            if (TokenAuthenticator.Read(Mutate(Token, random)) is { } parts)
            {
                read++;
                parts.Header.Dispose();
                parts.Claims.Dispose();
            }
        }

        Assert.InRange(read, 1, 19_999);
    }

    internal static string Mutate(string text, Random random)
    {
        const string Interesting = "\"\\=;,:()?*-._ \t@aZ0~\u00e9\0\ud800";
        var result = new StringBuilder(text);
        for (var i = random.Next(1, 4); i > 0 && result.Length > 0; i--)
        {
            var at = random.Next(result.Length);
            switch (random.Next(4))
            {
                case 0:
                    result.Remove(at, random.Next(1, Math.Min(8, result.Length - at) + 1));
                    break;
                case 1:
                    result.Insert(at, Interesting[random.Next(Interesting.Length)]);
                    break;
                case 2:
                    result[at] = Interesting[random.Next(Interesting.Length)];
                    break;
                default:
                    result.Insert(at, result.ToString(at, random.Next(1, Math.Min(20, result.Length - at) + 1)));
                    break;
            }
        }

        return result.ToString();
    }

    private static string Write(IReadOnlyList<KeyValuePair<string, SfItem>> members)
    {
        var text = new StringBuilder();
        foreach (var (key, item) in members)
        {
            text.Append(text.Length == 0 ? "" : ", ").Append(key).Append('=');
            StructuredField.Write(text, item);
        }

        return text.ToString();
    }
}
