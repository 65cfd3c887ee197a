using System.Text;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Gateway.Support;

/// <summary>A small snapshot: the API <c>/orders/v1</c> on one backend, one plan, and applications with a key each.</summary>
internal static class TestSnapshot
{
    public const string Pepper = "pepper-of-tests";
    public const string Key = "key-of-a-subscriber";
    public const string StrangerKey = "key-without-subscription";
    public const string SuspendedKey = "key-of-a-suspended-application";
    public const string ExpiringKey = "key-that-expires";

    public static readonly Guid VersionId = Guid.Parse("a0000000-0000-0000-0000-000000000001");
    public static readonly Guid SubscriptionId = Guid.Parse("a0000000-0000-0000-0000-000000000002");
    public static readonly Guid PlanId = Guid.Parse("a0000000-0000-0000-0000-000000000003");
    public static readonly Guid BackendId = Guid.Parse("a0000000-0000-0000-0000-000000000004");
    public static readonly Guid Subscriber = Guid.Parse("a0000000-0000-0000-0000-000000000005");
    private static readonly Guid Stranger = Guid.Parse("a0000000-0000-0000-0000-000000000006");
    private static readonly Guid Suspended = Guid.Parse("a0000000-0000-0000-0000-000000000007");

    public static readonly DateTimeOffset Expiry = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static Snapshot Create(IReadOnlyList<Uri> addresses, long revision = 1, string? service = null, params RateLimitModel[] limits) => new(
        revision,
        DateTimeOffset.UnixEpoch,
        [
            new(Id(10), "orders", "v1", VersionId, 1, "/orders/v1", BackendId,
            [
                new("listOrders", "GET", "/orders"),
                new("createOrder", "POST", "/orders"),
                new("getOrder", "GET", "/orders/{id}"),
                new("putOrder", "PUT", "/orders/{id}"),
                new("searchOrders", "POST", "/orders/search"),
                new("root", "GET", "/"),
                new("internal", "GET", "/internal/v1/snapshot"),
            ]),
            new(Id(11), "orders", "v1", Id(12), 1, "/orders", BackendId, [new("plain", "GET", "/v2/plain")]),
        ],
        [new(BackendId, "orders", service, addresses)],
        [new(PlanId, "standard", limits)],
        [new(Subscriber, Id(20), "subscriber", false), new(Stranger, Id(20), "stranger", false), new(Suspended, Id(20), "suspended", true)],
        [
            new(Id(30), Subscriber, Hash(Key), null),
            new(Id(31), Stranger, Hash(StrangerKey), null),
            new(Id(32), Suspended, Hash(SuspendedKey), null),
            new(Id(33), Subscriber, Hash(ExpiringKey), Expiry),
        ],
        [new(SubscriptionId, Subscriber, VersionId, PlanId), new(Id(40), Suspended, VersionId, PlanId)]);

    public static byte[] Hash(string key)
    {
        var hash = new byte[KeyHash.Size];
        Assert.True(KeyHash.TryCompute(Encoding.UTF8.GetBytes(Pepper), key, hash));
        return hash;
    }

    private static Guid Id(int number) => Guid.Parse($"b0000000-0000-0000-0000-{number:D12}");
}
