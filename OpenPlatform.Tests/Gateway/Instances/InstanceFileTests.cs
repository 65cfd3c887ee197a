using System.Text;
using FsCheck;
using FsCheck.Fluent;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Tests.Gateway.Instances;

public sealed class InstanceFileTests
{
    private const string Good = """
        [
          // a comment
          { "address": "http://10.0.3.7:8080", "id": "a", "zone": "z1", "weight": 50, "priority": 1, "draining": true },
          { "address": "https://orders.test" },
        ]
        """;

    [Fact]
    public void A_good_file_says_it_all()
    {
        Assert.Equal(
            [
                new("a", new("http://10.0.3.7:8080"), 50, "z1", 1, true, InstanceSource.File),
                new("orders.test", new("https://orders.test"), Source: InstanceSource.File),
            ],
            InstanceFile.Read(Encoding.UTF8.GetBytes(Good), out var problem)!);
        Assert.Null(problem);
    }

    [Theory]
    [InlineData("null", "must be an array")]
    [InlineData("[null]", "/0: must not be null")]
    [InlineData("[{}]", "address")]
    [InlineData("""[{ "address": null }]""", "address")]
    [InlineData("""[{ "address": "10.0.0.1:80" }]""", "/0/address")]
    [InlineData("""[{ "address": "http://10.0.0.1/path" }]""", "/0/address")]
    [InlineData("""[{ "address": "http://user@10.0.0.1" }]""", "/0/address")]
    [InlineData("""[{ "address": "http://a" }, { "address": "http://A:80/" }]""", "/1/address: stands in the file already")]
    [InlineData("""[{ "address": "http://a", "weight": 1001 }]""", "/0/weight")]
    [InlineData("""[{ "address": "http://a", "weigth": 10 }]""", "weigth")]
    [InlineData("""[{ "address": "http://a", "zone": "a b" }]""", "/0/zone")]
    [InlineData("""[{ "address": "http://a", "id": "" }]""", "/0/id")]
    [InlineData("""[{ "address": "http://a", "priority": -1 }]""", "/0/priority")]
    [InlineData("[\n\n{ nonsense", "line 3")]
    public void A_wrong_file_is_refused_with_the_place(string json, string place)
    {
        Assert.Null(InstanceFile.Read(Encoding.UTF8.GetBytes(json), out var problem));
        Assert.Contains(place, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Garbage_and_changed_files_are_read_or_refused()
    {
        static bool Ends(byte[] json) => InstanceFile.Read(json, out var problem) is null == problem is not null;
        Prop.ForAll<byte[]>(Ends).QuickCheckThrowOnFailure();
        Prop.ForAll<byte[], PositiveInt>(static (noise, start) =>
        {
            var changed = Encoding.UTF8.GetBytes(Good);
            for (var i = 0; i < noise.Length; i++)
            {
                changed[(start.Get + (i * 7)) % changed.Length] = noise[i];
            }

            return Ends(changed);
        }).QuickCheckThrowOnFailure();
    }
}
