using System.Text;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Gateway.Forwarding.Direct;
using Yarp.ReverseProxy.Forwarder;

namespace OpenPlatform.Tests.Gateway.Forwarding.Direct;

public sealed class RequestHeadBufferTests
{
    /// <summary>Whichever way a request goes, the backend sees the same target.</summary>
    [Fact]
    public void Paths_and_queries_are_written_as_the_other_way_writes_them()
    {
        const string Characters = "abz09-._~!$&'()*+,;=:@/ \"<>[]^`{|}\u00e4\u4e2d";
        var random = new Random(3);
        for (var round = 0; round < 5000; round++)
        {
            var path = "/" + Text(random, Characters.Replace(".", "", StringComparison.Ordinal)); // dot segments are the framing guard's
            var query = random.Next(3) == 0 ? "" : "?" + Text(random, Characters.Replace(" ", "", StringComparison.Ordinal) + "??", alsoPairs: true) + (random.Next(10) == 0 ? "%zz" : "");
            var uri = RequestUtilities.MakeDestinationAddress("http://a/", path, new QueryString(query));
            var head = new RequestHeadBuffer();
            head.AddPath(path);
            head.AddQuery(query);
            Assert.Equal(uri.PathAndQuery, Encoding.ASCII.GetString(head.Bytes.Span));
        }
    }

    [Theory]
    [InlineData("a\r\nX: 1")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    public void A_value_that_would_end_its_line_is_left_out(string value)
    {
        var head = new RequestHeadBuffer();
        head.AddHeader("X-A", value);
        Assert.Equal(0, head.Length);
    }

    private static string Text(Random random, string characters, bool alsoPairs = false) => string.Concat(Enumerable.Range(0, random.Next(0, 12)).Select(_ =>
        alsoPairs && random.Next(5) == 0 ? $"%{random.Next(0x20, 0x7F):X2}" : characters[random.Next(characters.Length)].ToString()));
}
