using System.Text.Json;
using System.Text.Json.Nodes;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Contracts;

/// <summary>A right snapshot with two of everything, and ways to break it.</summary>
internal static class TestSnapshots
{
    public static Guid Id(byte number) => new(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number);

    public static byte[] Hash(byte number) => [.. Enumerable.Repeat(number, KeyHash.Size)];

    public static Snapshot Right() => new(
        17, new DateTimeOffset(2026, 3, 1, 12, 30, 0, TimeSpan.Zero),
        [
            new(Id(1), "orders", "v1", Id(2), 3, "/orders/v1", Id(4), [new("listOrders", "GET", "/orders"), new("getOrder", "GET", "/orders/{id}")]),
            new(Id(3), "stock", "v1", Id(14), 1, "/stock/v1", Id(5), [new("root", "GET", "/")]),
        ],
        [new(Id(4), "orders", "orders", [new Uri("http://10.0.0.1:8080")]), new(Id(5), "stock", null, [new Uri("https://stock.example")]), new(Id(15), "spare", "spare", [])],
        [new(Id(6), "gold", [new(100, 60), new(1_000_000_000, 86_400)])],
        [new(Id(7), Id(8), "caller", false), new(Id(13), Id(8), "other caller", true), new(Id(16), Id(8), "third caller", false)],
        [new(Id(9), Id(7), Hash(1), null), new(Id(10), Id(13), Hash(2), new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero))],
        [new(Id(11), Id(7), Id(2), Id(6)), new(Id(12), Id(13), Id(2), Id(6))]);

    /// <summary>The right snapshot with the member at <paramref name="pointer"/> set to <paramref name="value"/>.</summary>
    public static Snapshot With(string pointer, JsonNode? value)
    {
        JsonNode root = JsonNode.Parse(JsonSerializer.Serialize(Right(), SnapshotJson.Default.Snapshot))!;
        var parts = pointer[1..].Split('/');
        var parent = parts[..^1].Aggregate(root, static (node, part) => int.TryParse(part, out var index) ? node[index]! : node[part]!);
        if (int.TryParse(parts[^1], out var last))
        {
            parent[last] = value;
        }
        else
        {
            parent[parts[^1]] = value;
        }

        return JsonSerializer.Deserialize(root.ToJsonString(), SnapshotJson.Default.Snapshot)!;
    }
}
