using System.Text.Json;
using OpenPlatform.Contracts.Snapshots;

namespace OpenPlatform.Tests.Contracts;

public sealed class BackendPolicyTests
{
    private static readonly BackendModel Backend = new(TestSnapshots.Id(50), "orders", "orders", [])
    {
        Balancing = new(BalancingAlgorithm.ConsistentHash, "header:X-Tenant", 1.5, false, 30),
        Health = new(new("/health", 1_000, 500, 1, 2), new(5_000, 10, 20, 3, 500), 30, 20),
        Dns = new("_http._tcp.orders.test", DnsKind.Srv, null, "https", 5),
    };

    public static TheoryData<string, string> Rules() => new()
    {
        { """{ "balancing": { "algorithm": 99 } }""", "/balancing/algorithm" },
        { """{ "balancing": { "hashOn": "cookie" } }""", "/balancing/hashOn" },
        { """{ "balancing": { "hashOn": "header:" } }""", "/balancing/hashOn" },
        { """{ "balancing": { "maxLoad": 1 } }""", "/balancing/maxLoad" },
        { """{ "balancing": { "rampSeconds": 601 } }""", "/balancing/rampSeconds" },
        { """{ "health": { "maxEjectedPercent": 101 } }""", "/health/maxEjectedPercent" },
        { """{ "health": { "panicPercent": -1 } }""", "/health/panicPercent" },
        { """{ "health": { "active": { "path": "health" } } }""", "/health/active/path" },
        { """{ "health": { "active": { "path": "/a b" } } }""", "/health/active/path" },
        { """{ "health": { "active": { "path": "/", "intervalMs": 99 } } }""", "/health/active/intervalMs" },
        { """{ "health": { "active": { "path": "/", "timeoutMs": 0 } } }""", "/health/active/timeoutMs" },
        { """{ "health": { "active": { "path": "/", "healthyThreshold": 0 } } }""", "/health/active/healthyThreshold" },
        { """{ "health": { "active": { "path": "/", "unhealthyThreshold": 101 } } }""", "/health/active/unhealthyThreshold" },
        { """{ "health": { "passive": { "windowMs": 999 } } }""", "/health/passive/windowMs" },
        { """{ "health": { "passive": { "minimumRequests": 0 } } }""", "/health/passive/minimumRequests" },
        { """{ "health": { "passive": { "failurePercent": 0 } } }""", "/health/passive/failurePercent" },
        { """{ "health": { "passive": { "consecutiveFailures": 0 } } }""", "/health/passive/consecutiveFailures" },
        { """{ "health": { "passive": { "ejectionMs": 99 } } }""", "/health/passive/ejectionMs" },
        { """{ "dns": { "name": "a..b" } }""", "/dns/name" },
        { """{ "dns": { "name": "a", "kind": 7 } }""", "/dns/kind" },
        { """{ "dns": { "name": "a", "port": 65536 } }""", "/dns/port" },
        { """{ "dns": { "name": "a", "scheme": "ftp" } }""", "/dns/scheme" },
        { """{ "dns": { "name": "a", "maxSeconds": 0 } }""", "/dns/maxSeconds" },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_broken_rule_is_named_with_its_place(string members, string place)
    {
        var json = $$"""{ "backendId": "{{TestSnapshots.Id(50)}}", "name": "orders", "service": "orders", "addresses": [], {{members.Trim()[1..]}}""";
        var problem = Assert.Single(SnapshotValidator.Validate(Snapshot.Empty with { Backends = [Read(json)] }));
        Assert.Equal("/backends/0" + place, problem.Pointer);
    }

    [Fact]
    public void All_that_can_be_said_survives_the_wire()
    {
        var snapshot = Snapshot.Empty with { Backends = [Backend] };
        Assert.Empty(SnapshotValidator.Validate(snapshot));
        var json = JsonSerializer.Serialize(snapshot, SnapshotJson.Default.Snapshot);
        Assert.Contains("\"consistent-hash\"", json, StringComparison.Ordinal);
        var read = JsonSerializer.Deserialize(json, SnapshotJson.Default.Snapshot)!.Backends[0];
        Assert.Equal((Backend.Balancing, Backend.Health, Backend.Dns), (read.Balancing, read.Health, read.Dns));
    }

    [Fact]
    public void What_is_not_said_has_the_documented_default()
    {
        var read = Read("""{ "backendId": "00000000-0000-0000-0000-000000000001", "name": "a", "service": null, "addresses": [], "balancing": {}, "health": { "active": { "path": "/" }, "passive": {} }, "dns": { "name": "a" } }""");
        Assert.Equal(BalancingPolicy.Default, read.Balancing);
        Assert.Equal(new HealthPolicy(new("/"), PassiveHealth.Default), read.Health);
        Assert.Equal(new DnsModel("a"), read.Dns);
    }

    [Fact]
    public void An_algorithm_nobody_knows_is_refused() =>
        Assert.Throws<JsonException>(() => Read("""{ "backendId": "00000000-0000-0000-0000-000000000001", "name": "a", "service": null, "addresses": [], "balancing": { "algorithm": "lucky" } }"""));

    private static BackendModel Read(string json) => JsonSerializer.Deserialize(json, SnapshotJson.Default.BackendModel)!;
}
