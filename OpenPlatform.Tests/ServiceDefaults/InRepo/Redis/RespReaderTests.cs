using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using OpenPlatform.ServiceDefaults.Redis;
using OpenPlatform.ServiceDefaults.Redis.InRepo;

namespace OpenPlatform.Tests.ServiceDefaults.InRepo.Redis;

public sealed class RespReaderTests
{
    /// <summary>Replies of any shape, as RESP text beside a plain rendering of what they mean.</summary>
    private static readonly Gen<(string Resp, string Meaning)> Leaf = Gen.OneOf(
        Gen.Constant(("$-1\r\n", "null")),
        Gen.Constant(("*-1\r\n", "null")),
        Gen.Constant(("+OK\r\n", "+OK")),
        Gen.Constant(("-ERR no\r\n", "-ERR no")),
        Gen.Choose(int.MinValue, int.MaxValue).Select(n => ($":{n}\r\n", $":{n}")),
        Gen.Choose(0, 40).SelectMany(n => Gen.Elements('a', '\r', '\n', '$', '\0').ListOf(n)).Select(cs => string.Concat(cs)).Select(s => ($"${s.Length}\r\n{s}\r\n", $"${s}")));

    private static Gen<(string Resp, string Meaning)> Reply(int depth) => depth == 0
        ? Leaf
        : Gen.Frequency((3, Leaf), (2, Gen.Choose(0, 4).SelectMany(n => Reply(depth - 1).ListOf(n)).Select(items =>
            ($"*{items.Count}\r\n{string.Concat(items.Select(i => i.Resp))}", $"[{string.Join(",", items.Select(i => i.Meaning))}]"))));

    [Fact]
    public void Replies_mean_the_same_wherever_the_bytes_are_cut() =>
        Prop.ForAll(Gen.Choose(1, 4).SelectMany(n => Reply(3).ListOf(n)).ToArbitrary(), replies =>
        {
            var bytes = Encoding.Latin1.GetBytes(string.Concat(replies.Select(r => r.Resp)));
            var expected = replies.Select(r => r.Meaning).ToArray();
            for (var cut = 0; cut <= bytes.Length; cut++)
            {
                if (!ReadAll(bytes[..cut], bytes[cut..]).SequenceEqual(expected))
                {
                    return false;
                }
            }

            return ReadAll([.. bytes.Select(b => (byte[])[b])]).SequenceEqual(expected);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Garbage_is_a_protocol_error_or_waits_for_more_and_never_anything_else() =>
        Prop.ForAll<byte[]>(garbage =>
        {
            try
            {
                ReadAll(garbage);
                return true;
            }
            catch (RespProtocolException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void One_changed_byte_is_a_protocol_error_another_reply_or_a_wait() =>
        Prop.ForAll(Reply(3).ToArbitrary(), ArbMap.Default.ArbFor<byte>(), ArbMap.Default.ArbFor<PositiveInt>(), (reply, value, at) =>
        {
            var bytes = Encoding.Latin1.GetBytes(reply.Resp);
            bytes[at.Get % bytes.Length] = value;
            try
            {
                ReadAll(bytes);
                return true;
            }
            catch (RespProtocolException)
            {
                return true;
            }
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("?1\r\n")]
    [InlineData("$-2\r\n")]
    [InlineData("*-7\r\n")]
    [InlineData("$x\r\n")]
    [InlineData(":\r\n")]
    [InlineData(":1x\r\n")]
    [InlineData(":99999999999999999999\r\n")]
    [InlineData("+OK\n")]
    [InlineData("$2\r\nabc\r\n")]
    [InlineData("$67108865\r\n")] // over 64 MiB
    [InlineData("*1048577\r\n")] // over 2^20 items
    [InlineData("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n")] // 17 deep
    [InlineData("*2\r\n*1048576\r\n")]
    public void What_is_not_RESP2_or_too_large_is_refused_at_once(string text) =>
        Assert.Throws<RespProtocolException>(() => ReadAll(Encoding.Latin1.GetBytes(text)));

    [Fact]
    public void A_line_without_an_end_is_refused_at_64_KiB() =>
        Assert.Throws<RespProtocolException>(() => ReadAll([(byte)'+', .. Enumerable.Repeat((byte)'x', 70_000)]));

    [Fact]
    public void Arguments_are_written_as_bulk_strings()
    {
        var (buffer, length) = RedisCommand.Encode(["SET", "ключ", -42, (byte[])[1, 0, 255], long.MinValue]);
        Assert.Equal(
            "*5\r\n$3\r\nSET\r\n$8\r\n\u00d0\u00ba\u00d0\u00bb\u00d1\u008e\u00d1\u0087\r\n$3\r\n-42\r\n$3\r\n\u0001\0\u00ff\r\n$20\r\n-9223372036854775808\r\n",
            Encoding.Latin1.GetString(buffer, 0, length));
    }

    [Theory]
    [InlineData("h", "h:6379 db=0 tls=False user= password=")]
    [InlineData("10.0.0.1:7000,[::1]:7001,password=a=b==,ssl=true,user=u,defaultDatabase=3,abortConnect=false", "10.0.0.1:7000 ::1:7001 db=3 tls=True user=u password=a=b==")]
    public void Connection_strings_are_read_as_StackExchange_Redis_reads_them(string text, string expected)
    {
        var options = RedisOptions.Parse(text);
        Assert.Equal(expected, string.Create(CultureInfo.InvariantCulture, $"{string.Join(' ', options.Endpoints.Select(e => $"{e.Host}:{e.Port}"))} db={options.Database} tls={options.Tls} user={options.User} password={options.Password}"));
    }

    [Theory]
    [InlineData("", "names no server")]
    [InlineData("h:0", "'port'")]
    [InlineData("h,ssl=maybe", "'ssl'")]
    [InlineData("h,pasword=hunter2", "'pasword'")]
    [InlineData("::1", "brackets")]
    public void A_malformed_connection_string_names_the_part_and_never_a_value(string text, string part)
    {
        var error = Assert.Throws<FormatException>(() => RedisOptions.Parse(text));
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.Message, StringComparison.Ordinal);
    }

    private static List<string> ReadAll(params byte[][] pieces)
    {
        var reader = new RespReader(new RespLimits());
        var replies = new List<string>();
        foreach (var piece in pieces)
        {
            for (var position = 0; position < piece.Length;)
            {
                position += reader.Read(piece.AsSpan(position), out var reply);
                if (reply is not null)
                {
                    replies.Add(Render(reply));
                }
            }
        }

        return replies;
    }

    private static string Render(RedisReply reply) => reply.Kind switch
    {
        RedisReplyKind.Null => "null",
        RedisReplyKind.Integer => $":{reply.AsInt64()}",
        RedisReplyKind.Simple => $"+{reply.AsString()}",
        RedisReplyKind.Error => $"-{reply.AsString()}",
        RedisReplyKind.Bulk => $"${Encoding.Latin1.GetString(reply.AsBytes()!)}",
        _ => $"[{string.Join(",", reply.Items.Select(Render))}]",
    };
}
