using System.Text;
using FsCheck;
using FsCheck.Fluent;
using OpenPlatform.ServiceDefaults.Instances;

namespace OpenPlatform.Tests.ServiceDefaults.Instances;

public sealed class LeaseTextTests
{
    private static readonly byte[] Key = "the key of the orders service"u8.ToArray();
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(2);
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeMilliseconds(1_763_700_000_000);
    private static readonly InstanceLease Lease = new(
        "orders", "orders-1", new Uri("http://127.0.0.1:41873"), "zone-a", 250, InstanceStatus.Draining, Now.AddSeconds(4));

    [Fact]
    public void A_signed_lease_reads_back_as_it_was()
    {
        Assert.Equal(LeaseVerdict.Valid, Read(LeaseText.Sign(Lease, Key), out var read));
        Assert.Equal(Lease, read);
        Assert.Equal(LeaseVerdict.Valid, Read(LeaseText.Sign(Lease with { Zone = null, Status = InstanceStatus.Ready }, Key), out read));
        Assert.Equal(Lease with { Zone = null, Status = InstanceStatus.Ready }, read);
    }

    [Fact]
    public void Another_key_makes_a_forgery() =>
        Assert.Equal(LeaseVerdict.Forged, Read(LeaseText.Sign(Lease, "the key of another service"u8), out _));

    [Fact]
    public void A_lease_of_another_service_or_instance_is_foreign_even_with_the_right_key()
    {
        Assert.Equal(LeaseVerdict.Foreign, Read(LeaseText.Sign(Lease with { Service = "billing" }, Key), out _));
        Assert.Equal(LeaseVerdict.Foreign, Read(LeaseText.Sign(Lease with { InstanceId = "orders-2" }, Key), out _));
    }

    [Fact]
    public void It_ends_with_its_expiry_and_the_skew_of_two_clocks()
    {
        var signed = LeaseText.Sign(Lease, Key);
        Assert.Equal(LeaseVerdict.Valid, Read(signed, out _, Lease.ExpiresAt + Skew - TimeSpan.FromMilliseconds(1)));
        Assert.Equal(LeaseVerdict.Expired, Read(signed, out _, Lease.ExpiresAt + Skew));
    }

    [Fact]
    public void A_lease_for_ever_is_refused() =>
        Assert.Equal(LeaseVerdict.TooLong, Read(LeaseText.Sign(Lease with { ExpiresAt = Now.AddYears(1) }, Key), out _));

    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("ftp://127.0.0.1:21")]
    public void Only_http_addresses_count(string address) =>
        Assert.Equal(LeaseVerdict.Malformed, Read(LeaseText.Sign(Lease with { Address = new Uri(address) }, Key), out _));

    [Fact]
    public void A_change_of_any_one_byte_is_noticed()
    {
        var signed = LeaseText.Sign(Lease, Key);
        for (var i = 0; i < signed.Length; i++)
        {
            foreach (var flip in (byte[])[1, 2, 0x20, 0x80])
            {
                var changed = signed.ToArray();
                changed[i] ^= flip;
                Assert.NotEqual(LeaseVerdict.Valid, Read(changed, out var read));
                Assert.Null(read);
            }
        }
    }

    [Fact]
    public void Garbage_is_never_a_lease_and_never_an_exception() =>
        Prop.ForAll<byte[]>(garbage => Read(garbage, out _) != LeaseVerdict.Valid).QuickCheckThrowOnFailure();

    [Fact]
    public void A_rightly_signed_text_of_any_content_never_throws() =>
        // What a service with a broken writer could do: the signature fits, the content does not.
        Prop.ForAll<string>(text =>
        {
            var payload = Encoding.UTF8.GetBytes((text ?? "") + "\n");
            byte[] signed = [.. payload, .. Encoding.ASCII.GetBytes(
                System.Buffers.Text.Base64Url.EncodeToString(System.Security.Cryptography.HMACSHA256.HashData(Key, payload)))];
            return Read(signed, out _) is LeaseVerdict.Malformed or LeaseVerdict.Foreign;
        }).QuickCheckThrowOnFailure();

    private static LeaseVerdict Read(byte[] signed, out InstanceLease? lease, DateTimeOffset? now = null) =>
        LeaseText.Read(signed, "orders", "orders-1", Key, now ?? Now, Skew, out lease);
}
