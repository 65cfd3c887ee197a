using System.Net;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Instances;
using OpenPlatform.ServiceDefaults.Discovery.Dns;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Instances;

/// <summary>Instances by file and by DNS, in front of real backends.</summary>
public sealed class SourceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("openplatform-instances-").FullName;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("00:10:00")] // only the watch can tell
    [InlineData("00:00:00.1")]
    public async Task A_file_is_read_again_when_it_changes(string poll)
    {
        await using var first = await TestBackend.StartAsync();
        await using var second = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "orders"));
        Write($$"""[{ "address": "{{first.Address}}", "zone": "a", "weight": 300 }]""");
        await using var gateway = await GatewayHost.StartAsync(catalog, settings:
            [("OpenPlatform:Gateway:Instances:Directory", _folder), ("OpenPlatform:Gateway:Instances:FilePoll", poll)]);
        using var client = gateway.Client();
        await Eventually.TrueAsync(() => Rows(gateway).Count == 1);
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        Assert.Equal((InstanceSource.File, "a", 300), Rows(gateway).Select(static i => (i.Source, i.Zone, i.Weight)).Single());

        Write($$"""[{ "address": "{{first.Address}}", "draining": true }, { "address": "{{second.Address}}", "id": "second" }]""");
        await Eventually.TrueAsync(() => Rows(gateway).Count == 2);
        Assert.Equal(InstanceStateName.Draining, Rows(gateway).Single(i => i.Address == first.Address).State);
        var before = first.Requests.Count;
        for (var i = 0; i < 10; i++)
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
        }

        Assert.Equal(before, first.Requests.Count);
    }

    [Fact]
    public async Task A_file_that_is_wrong_empty_or_gone_leaves_what_it_said()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var other = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(TestSnapshot.Create([], service: "orders"));
        Write($$"""[{ "address": "{{backend.Address}}" }]""");
        await using var gateway = await GatewayHost.StartAsync(catalog, settings:
            [("OpenPlatform:Gateway:Instances:Directory", _folder), ("OpenPlatform:Gateway:Instances:FilePoll", "00:00:00.1")]);
        using var client = gateway.Client();
        await Eventually.TrueAsync(() => Rows(gateway).Count == 1);
        foreach (var wrong in (string?[])["", "[", "[]", "{}", "[null]", $$"""[{ "address": "{{other.Address}}", "weight": 0 }]""", null])
        {
            if (wrong is null)
            {
                File.Delete(Path.Combine(_folder, "orders.json"));
            }
            else
            {
                Write(wrong);
            }

            await Task.Delay(150, Stop); // longer than a poll: nothing may happen, which no condition can tell
            Assert.Equal([backend.Address], Rows(gateway).Select(static i => i.Address));
            Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop));
        }
    }

    [Fact]
    public async Task SRV_records_bring_ports_priorities_and_weights_and_their_loss_changes_nothing()
    {
        await using var light = await TestBackend.StartAsync();
        await using var heavy = await TestBackend.StartAsync();
        await using var backup = await TestBackend.StartAsync();
        var isGone = false;
        await using var dns = new NameServer(
            query => Volatile.Read(ref isGone) ? NameServer.NoSuchName(query) : NameServer.Services(query, ttl: 1,
                (10, 1, light.Address.Port, IPAddress.Loopback), (10, 4, heavy.Address.Port, IPAddress.Loopback), (20, 5, backup.Address.Port, IPAddress.Loopback)),
            truncated: false);
        await using var catalog = await TestCatalog.StartAsync(Snapshot(new DnsModel("_http._tcp.orders.test", DnsKind.Srv)));
        await using var gateway = await GatewayHost.StartAsync(catalog, settings: ("OpenPlatform:Gateway:Instances:NameServers:0", dns.Address.ToString()));
        using var client = gateway.Client();
        await Eventually.TrueAsync(() => Rows(gateway).Count == 3);
        Assert.Equal(
            [(light.Address, 10, 200), (heavy.Address, 10, 800), (backup.Address, 20, 1000)],
            Rows(gateway).OrderBy(static i => i.Weight).Select(static i => (i.Address, i.Priority, i.Weight)));
        for (var i = 0; i < 100; i++)
        {
            await client.GetStringAsync("/orders/v1/orders", Stop);
        }

        Assert.Empty(backup.Requests);
        Assert.True(heavy.Requests.Count > light.Requests.Count, $"{heavy.Requests.Count} of the heavy, {light.Requests.Count} of the light");

        Volatile.Write(ref isGone, true);
        var asked = dns.Queries;
        await Eventually.TrueAsync(() => dns.Queries > asked + 1);
        Assert.Equal(3, Rows(gateway).Count);
    }

    [Fact]
    public async Task A_host_name_brings_its_addresses()
    {
        await using var backend = await TestBackend.StartAsync();
        await using var catalog = await TestCatalog.StartAsync(Snapshot(new DnsModel("localhost", Port: backend.Address.Port)));
        await using var gateway = await GatewayHost.StartAsync(catalog);
        using var client = gateway.Client();
        await Eventually.TrueAsync(() => Rows(gateway).Count > 0);
        Assert.All(Rows(gateway), static i => Assert.Equal(InstanceSource.Dns, i.Source));
        Assert.Equal("hello", await client.GetStringAsync("/orders/v1/orders", Stop)); // ::1 too, where nobody listens
    }

    [Fact]
    public void A_target_with_two_addresses_shares_its_weight_and_https_goes_by_name()
    {
        DnsService[] services =
        [
            new(0, 10, 8080, "two.test", [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("fd00::1")]),
            new(0, 10, 8080, "one.test", [IPAddress.Parse("10.0.0.2")]),
        ];
        Assert.Equal(
            [("http://10.0.0.1:8080/", 500), ("http://[fd00::1]:8080/", 500), ("http://10.0.0.2:8080/", 1000)],
            DnsSource.Read(new("x", DnsKind.Srv), services).Select(static c => (c.Address.ToString(), c.Weight)));
        Assert.Equal(["https://two.test:8080/", "https://one.test:8080/"], DnsSource.Read(new("x", DnsKind.Srv, Scheme: "https"), services).Select(static c => c.Address.ToString()));
        Assert.All(DnsSource.Read(new("x", DnsKind.Srv), [services[1] with { Weight = 0 }]), static c => Assert.Equal(100, c.Weight));
    }

    private static Snapshot Snapshot(DnsModel dns)
    {
        var snapshot = TestSnapshot.Create([]);
        return snapshot with { Backends = [snapshot.Backends[0] with { Dns = dns }] };
    }

    private static IReadOnlyList<InstanceRow> Rows(GatewayHost gateway) => gateway.Services.GetRequiredService<InstanceDirectory>().Describe();

    /// <summary>At once, as every careful writer does it.</summary>
    private void Write(string json)
    {
        var path = Path.Combine(_folder, "orders.json");
        File.WriteAllText(path + ".new", json);
        File.Move(path + ".new", path, overwrite: true);
    }
}
