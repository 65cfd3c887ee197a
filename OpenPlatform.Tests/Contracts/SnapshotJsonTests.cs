using System.Text;
using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Contracts.Usage;

namespace OpenPlatform.Tests.Contracts;

public sealed class SnapshotJsonTests
{
    [Fact]
    public void A_snapshot_comes_back_as_it_was()
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(TestSnapshots.Right(), SnapshotJson.Default.Snapshot);

        var back = JsonSerializer.Deserialize(bytes, SnapshotJson.Default.Snapshot)!;

        Assert.Equal(bytes, JsonSerializer.SerializeToUtf8Bytes(back, SnapshotJson.Default.Snapshot));
        Assert.Empty(SnapshotValidator.Validate(back));
    }

    [Theory]
    [InlineData("""{"revision":1}""")]
    [InlineData("""{"revision":1,"surprise":true}""")]
    [InlineData("null,")]
    [InlineData("")]
    public void What_is_not_a_snapshot_is_refused(string json) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(json, SnapshotJson.Default.Snapshot));

    [Fact]
    public void An_unknown_member_is_refused()
    {
        var json = JsonSerializer.Serialize(TestSnapshots.Right(), SnapshotJson.Default.Snapshot).Replace("\"name\":", "\"name\":\"x\",\"nam\":", StringComparison.Ordinal);

        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(json, SnapshotJson.Default.Snapshot));
    }

    /// <summary>Foreign bytes end as a snapshot whose problems are listed, or as a <see cref="JsonException"/>; nothing else gets out.</summary>
    [Fact]
    public void Mutated_bytes_never_crash_reading_or_validating()
    {
        var right = JsonSerializer.SerializeToUtf8Bytes(TestSnapshots.Right(), SnapshotJson.Default.Snapshot);
        var random = new Random(20260301);
        var (read, refused) = (0, 0);
        for (var round = 0; round < 8_000; round++)
        {
            var mutated = Mutate(right, random);
            try
            {
                if (JsonSerializer.Deserialize(mutated, SnapshotJson.Default.Snapshot) is { } snapshot)
                {
                    SnapshotValidator.Validate(snapshot);
                    read++;
                }
            }
            catch (JsonException)
            {
                refused++;
            }
            catch (Exception exception)
            {
                Assert.Fail($"{exception.GetType().Name}: {exception.Message}\n{Encoding.UTF8.GetString(mutated)}");
            }
        }

        // Both sides were really visited.
        Assert.True(read > 200, $"{read} were read");
        Assert.True(refused > 200, $"{refused} were refused");
    }

    [Fact]
    public void Mutated_usage_never_crashes_reading()
    {
        var batch = new UsageBatch("gateway-1", TestSnapshots.Id(1), 7,
            [new(DateTimeOffset.UnixEpoch, TestSnapshots.Id(2), TestSnapshots.Id(3), TestSnapshots.Id(4), "listOrders", 200, 12)]);
        var right = JsonSerializer.SerializeToUtf8Bytes(batch, UsageJson.Default.UsageBatch);
        var random = new Random(7);
        for (var round = 0; round < 8_000; round++)
        {
            var mutated = Mutate(right, random);
            try
            {
                if (JsonSerializer.Deserialize(mutated, UsageJson.Default.UsageBatch) is { } read)
                {
                    OpenPlatform.Catalog.Usage.UsageCheck.Check(read);
                }
            }
            catch (JsonException)
            {
                // refused
            }
            catch (Exception exception)
            {
                Assert.Fail($"{exception.GetType().Name}: {exception.Message}\n{Encoding.UTF8.GetString(mutated)}");
            }
        }
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        var mutated = bytes.ToList();
        for (var edits = random.Next(1, 4); edits > 0; edits--)
        {
            var at = random.Next(mutated.Count);
            switch (random.Next(6))
            {
                case 0:
                    mutated[at] = (byte)random.Next(256);
                    break;
                case 1:
                    mutated.RemoveAt(at);
                    break;
                case 2:
                    mutated.Insert(at, (byte)random.Next(32, 127));
                    break;
                case 3: // another digit or letter in place: likely to stay well-formed
                    mutated[at] = char.IsAsciiLetterOrDigit((char)mutated[at]) ? (byte)"0123456789abcxyz/{}.-"[random.Next(21)] : mutated[at];
                    break;
                case 4: // a whole value becomes something else
                    Replace(mutated, at, random);
                    break;
                default: // half a surrogate pair inside a string
                    mutated.InsertRange(at, "\\ud83d"u8.ToArray());
                    break;
            }
        }

        return [.. mutated];
    }

    private static void Replace(List<byte> bytes, int near, Random random)
    {
        var colon = bytes.IndexOf((byte)':', near);
        if (colon < 0)
        {
            return;
        }

        var end = colon + 1;
        if (bytes[end] is (byte)'[' or (byte)'{')
        {
            return;
        }

        while (end < bytes.Count && bytes[end] is not ((byte)',' or (byte)'}' or (byte)']'))
        {
            end++;
        }

        ReadOnlySpan<string> values = ["null", "0", "-1", "1e400", "\"\"", "true", "[null]", "{}", "\"http://[::1\"", "99999999999999999999", "\"\\u0000\""];
        bytes.RemoveRange(colon + 1, end - colon - 1);
        bytes.InsertRange(colon + 1, Encoding.UTF8.GetBytes(values[random.Next(values.Length)]));
    }
}
