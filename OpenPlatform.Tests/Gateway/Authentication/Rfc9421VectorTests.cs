using System.Text;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authentication;
using OpenPlatform.Gateway.Authentication.Signatures;

namespace OpenPlatform.Tests.Gateway.Authentication;

/// <summary>The signatures of RFC 9421, B.2, with its keys of B.1 over its messages. B.2.6 is ed25519, which the platform's cryptography lacks.</summary>
public sealed class Rfc9421VectorTests
{
    private const string RsaPss =
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+"
        + "oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W"
        + "Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI2wIDAQAB";

    private const string EcP256 =
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==";

    private const string SharedSecret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

    private static readonly Message Request = new(
        new(StringComparer.Ordinal)
        {
            ["date"] = "Tue, 20 Apr 2021 02:07:55 GMT",
            ["content-type"] = "application/json",
            ["content-digest"] = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
            ["content-length"] = "18",
            ["@method"] = "POST",
            ["@authority"] = "example.com",
            ["@path"] = "/foo",
            ["@query"] = "?param=Value&Pet=dog",
        });

    private static readonly Message Response = new(
        new(StringComparer.Ordinal)
        {
            ["content-type"] = "application/json",
            ["content-digest"] = "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:",
            ["content-length"] = "23",
            ["@status"] = "200",
        });

    [Theory]
    [InlineData("B.2.1", SigningAlgorithms.RsaPss, RsaPss,
        """();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd" """,
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==")]
    [InlineData("B.2.2", SigningAlgorithms.RsaPss, RsaPss,
        """("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example" """,
        "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==")]
    [InlineData("B.2.3", SigningAlgorithms.RsaPss, RsaPss,
        """("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss" """,
        "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==")]
    [InlineData("B.2.4", SigningAlgorithms.EcdsaP256, EcP256,
        """("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256" """,
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==")]
    [InlineData("B.2.5", SigningAlgorithms.Hmac, SharedSecret,
        """("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret" """,
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=")]
    public void Each_vector_verifies_and_no_changed_one_does(string section, string algorithm, string key, string input, string signature)
    {
        var bytes = Convert.FromBase64String(key);
        var entry = new SigningKeyEntry(default, default, long.MaxValue, algorithm, algorithm == SigningAlgorithms.Hmac ? bytes : null, new(bytes));
        var message = section == "B.2.4" ? Response : Request;
        var parsed = StructuredField.ParseDictionary("sig=" + input.TrimEnd())!.Single().Value;

        var signed = SignatureBase.Build(parsed, message)!;
        Assert.True(entry.Verify(signed, Convert.FromBase64String(signature)), Encoding.UTF8.GetString(signed));

        signed[^1] ^= 1;
        Assert.False(entry.Verify(signed, Convert.FromBase64String(signature)));
        Assert.False(entry.Verify(signed, []));
    }

    /// <summary>The examples of 2.1.1 to 2.1.3, and what is none of them.</summary>
    [Theory]
    [InlineData("\"example-dict\";sf", "a=1, b=2;x=1;y=2, c=(a b c)")]
    [InlineData("\"example-dict\";key=\"b\"", "2;x=1;y=2")]
    [InlineData("\"example-dict\";key=\"c\"", "(a b c)")]
    [InlineData("\"flags\";key=\"d\"", "?1")]
    [InlineData("\"flags\";sf", "d, e;q=0.5")]
    [InlineData("\"list\";sf", "a, (b c);d, \"e\"")]
    [InlineData("\"example-header\";bs", ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:")]
    [InlineData("\"example-dict\";key=\"z\"", null)]
    [InlineData("\"twice\";sf", null)] // a list of two, or a dictionary of one?
    [InlineData("\"date\";sf", null)]
    [InlineData("\"nothing\";bs", null)]
    [InlineData("\"example-dict\";sf;bs", null)]
    [InlineData("\"example-dict\";req", null)]
    [InlineData("\"example-dict\";tr", null)]
    [InlineData("\"@method\";sf", null)]
    public void Fields_are_covered_strictly_by_member_and_by_line(string component, string? value)
    {
        var message = new Message(new(StringComparer.Ordinal)
        {
            ["@method"] = "GET",
            ["date"] = "Tue, 20 Apr 2021 02:07:55 GMT",
            ["example-dict"] = "a=1,    b=2;x=1;y=2,   c=(a   b   c)",
            ["flags"] = "d,e; q=0.50",
            ["list"] = "a,(b  c);d,  \"e\"",
            ["twice"] = "a, a",
            ["example-header"] = "value, with, lots\nof, commas",
        });
        var signed = SignatureBase.Build(StructuredField.ParseDictionary($"sig=({component})")!.Single().Value, message);
        Assert.Equal(value is null ? null : $"{component}: {value}\n\"@signature-params\": ({component})", signed is null ? null : Encoding.UTF8.GetString(signed));
    }

    [Fact]
    public void The_digests_of_the_example_messages_are_theirs()
    {
        Assert.True(ContentDigest.Parse(Request.Field("content-digest"))!.Matches("""{"hello": "world"}"""u8));
        Assert.True(ContentDigest.Parse(Response.Field("content-digest"))!.Matches("""{"message": "good dog"}"""u8));
        Assert.False(ContentDigest.Parse(Response.Field("content-digest"))!.Matches("""{"message": "bad dog"}"""u8));
        Assert.Null(ContentDigest.Parse("md5=:HUXZLQLMuI/KZ5KDcJPcOA==:"));
        Assert.Null(ContentDigest.Parse("sha-256=:AAAA:"));
    }

    private sealed class Message(Dictionary<string, string> parts) : IMessageComponents
    {
        public string? Field(string name) => parts.GetValueOrDefault(name);

        public IReadOnlyList<string> Lines(string name) => parts.TryGetValue(name, out var lines) ? [.. lines.Split('\n').Select(static line => line.Trim())] : [];

        public string? Derived(string name) => parts.GetValueOrDefault(name);

        public string? QueryParameter(string name) => name == "Pet" ? "dog" : null;
    }
}
