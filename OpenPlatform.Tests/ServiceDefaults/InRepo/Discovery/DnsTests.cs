using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.ServiceDiscovery;
using OpenPlatform.ServiceDefaults.Discovery.Dns;
using OpenPlatform.Tests.Fixtures;

namespace OpenPlatform.Tests.ServiceDefaults.InRepo.Discovery;

public sealed class DnsTests
{
    private const string Name = "_http._tcp.catalog.example.test";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void An_answer_with_compressed_names_is_read_whole()
    {
        var answer = DnsMessage.ReadServices(Answer(DnsMessage.Query(1, Name, DnsType.Srv), (10, 8080, "one"), (20, 8081, "two")));
        Assert.Equal(TimeSpan.FromSeconds(30), answer.TimeToLive);
        Assert.Equal(
            [(10, 8080, "one.example.test", "10.0.0.1"), (20, 8081, "two.example.test", "10.0.0.2")],
            answer.Services.Select(s => (s.Priority, s.Port, s.Target, s.Addresses.Single().ToString())));
    }

    [Fact]
    public void A_message_cut_anywhere_is_an_error_and_never_a_crash()
    {
        var whole = Answer(DnsMessage.Query(1, Name, DnsType.Srv), (10, 8080, "one"));
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.Throws<DnsException>(() => DnsMessage.ReadServices(whole.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Garbage_and_changed_messages_end_in_an_answer_or_a_DnsException()
    {
        static bool Ends(byte[] message)
        {
            try
            {
                _ = DnsMessage.ReadServices(message);
                return true;
            }
            catch (DnsException)
            {
                return true;
            }
        }

        Prop.ForAll<byte[]>(garbage => Ends(garbage)).QuickCheckThrowOnFailure();
        var good = Answer(DnsMessage.Query(1, Name, DnsType.Srv), (10, 8080, "one"), (10, 8081, "two"));
        Prop.ForAll<byte[], PositiveInt>((noise, start) =>
        {
            var changed = good.ToArray();
            for (var i = 0; i < noise.Length; i++)
            {
                changed[(start.Get + (i * 7)) % changed.Length] = noise[i];
            }

            return Ends(changed);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_name_that_points_at_itself_ends()
    {
        byte[] loop = [0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 33, 0, 1];
        Assert.Throws<DnsException>(() => DnsMessage.ReadServices(loop));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // the answer over UDP is cut, so that TCP is asked
    public async Task A_service_is_found_by_its_SRV_record(bool truncated)
    {
        await using var backend = await StubServer.StartAsync("found");
        await using var dns = new NameServer(query => Answer(query, [(10, backend.Address.Port, "loopback"), (20, 1, "never")], IPAddress.Loopback), truncated);
        using var host = Build(dns);
        using var http = host.Services.GetRequiredService<IHttpClientFactory>().CreateClient();
        Assert.Equal("found", await http.GetStringAsync("http://_http.catalog", Stop));
    }

    [Fact]
    public async Task A_silent_or_lying_name_server_is_an_error_that_names_the_record()
    {
        await using var dns = new NameServer(_ => Encoding.ASCII.GetBytes("something else entirely"), truncated: false);
        using var host = Build(dns);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
            await host.Services.GetRequiredService<ServiceEndpointResolver>().GetEndpointsAsync("http://_http.catalog", Stop));
        Assert.Contains(Name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_that_vanish_from_DNS_go_on_being_served()
    {
        var vanished = false;
        await using var dns = new NameServer(
            query => Volatile.Read(ref vanished) ? NameServer.NoSuchName(query) : Answer(query, [(10, 8080, "one")], IPAddress.Loopback, ttl: 0), truncated: false);
        using var host = Build(dns);
        var resolver = host.Services.GetRequiredService<ServiceEndpointResolver>();
        Assert.Single((await resolver.GetEndpointsAsync("http://_http.catalog", Stop)).Endpoints);
        Volatile.Write(ref vanished, true);
        var asked = dns.Queries;
        await Eventually.TrueAsync(() => dns.Queries > asked + 1);
        Assert.Single((await resolver.GetEndpointsAsync("http://_http.catalog", Stop)).Endpoints);
    }

    private static IHost Build(NameServer dns)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddServiceDiscoveryCore().AddDnsSrvServiceEndpointProvider(options =>
        {
            options.QuerySuffix = "example.test";
            options.MinRetryPeriod = TimeSpan.FromMilliseconds(20);
        });
        builder.Services.ConfigureDnsResolver(options =>
        {
            options.Servers = [dns.Address];
            options.Timeout = TimeSpan.FromMilliseconds(300);
        });
        builder.Services.ConfigureHttpClientDefaults(http => http.AddServiceDiscovery());
        return builder.Build();
    }

    private static byte[] Answer(byte[] query, params (int Priority, int Port, string Host)[] records) => Answer(query, records, null);

    /// <summary>SRV answers whose names point into the question, and an A record for each target.</summary>
    private static byte[] Answer(byte[] query, (int Priority, int Port, string Host)[] records, IPAddress? address, int ttl = 30)
    {
        var message = new List<byte>(query) { [2] = 0x81, [3] = 0x80, [7] = (byte)records.Length, [11] = (byte)records.Length };
        var suffix = 12 + "_http".Length + 1 + "_tcp".Length + 1 + "catalog".Length + 1; // where "example.test" stands in the question
        var targets = new List<int>();
        foreach (var (priority, port, host) in records)
        {
            message.AddRange([0xc0, 12, 0, 33, 0, 1, .. Int(ttl), 0, (byte)(6 + host.Length + 3), .. Short(priority), .. Short(1), .. Short(port)]);
            targets.Add(message.Count);
            message.AddRange([(byte)host.Length, .. Encoding.ASCII.GetBytes(host), 0xc0, (byte)suffix]);
        }

        for (var i = 0; i < records.Length; i++)
        {
            byte[] bytes = address?.GetAddressBytes() ?? [10, 0, 0, (byte)(i + 1)];
            message.AddRange([(byte)(0xc0 | (targets[i] >> 8)), (byte)targets[i], 0, 1, 0, 1, .. Int(ttl), 0, 4, .. bytes]);
        }

        return [.. message];
    }

    private static byte[] Short(int value) => [(byte)(value >> 8), (byte)value];

    private static byte[] Int(int value) => [0, 0, .. Short(value)];
}
