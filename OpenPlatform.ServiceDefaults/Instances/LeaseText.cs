using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace OpenPlatform.ServiceDefaults.Instances;

/// <summary>Why a lease counts or does not.</summary>
internal enum LeaseVerdict
{
    Valid,

    /// <summary>Not the form below, or a value out of its range.</summary>
    Malformed,

    /// <summary>Not signed with the service's key.</summary>
    Forged,

    /// <summary>Rightly signed, but for another service or another instance than it is stored under.</summary>
    Foreign,

    Expired,

    /// <summary>Its end is further away than any lease's may be: an old signature must not give a right for ever.</summary>
    TooLong,
}

/// <summary>
/// The signed form of a lease, readable with any Redis tool:
/// <code>
/// openplatform-lease-1      what this is, so that the signature of something else can never be one
/// orders                    service
/// orders-3f9a0c1d           instance
/// http://127.0.0.1:41873    address
///                           zone, may be empty
/// 100                       weight
/// ready                     or draining
/// 1763700000000             expiry, Unix time in ms
/// kq3v…                     HMAC-SHA256 of all lines above with their line feeds, base64url
/// </code>
/// No value can hold a line feed, so the form is canonical: two leases never have the same bytes.
/// </summary>
internal static class LeaseText
{
    public const int MaxBytes = 1024;

    /// <summary>Longest time to live that any writer may choose.</summary>
    public static readonly TimeSpan MaxTimeToLive = TimeSpan.FromSeconds(10);

    private const string Kind = "openplatform-lease-1";
    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    public static byte[] Sign(InstanceLease lease, ReadOnlySpan<byte> key)
    {
        var status = lease.Status == InstanceStatus.Draining ? "draining" : "ready";
        var text = string.Create(
            CultureInfo.InvariantCulture,
            $"{Kind}\n{lease.Service}\n{lease.InstanceId}\n{lease.Address.GetLeftPart(UriPartial.Authority)}\n{lease.Zone}\n{lease.Weight}\n{status}\n{lease.ExpiresAt.ToUnixTimeMilliseconds()}\n");
        var payload = Encoding.UTF8.GetBytes(text);
        return [.. payload, .. Base64Url.EncodeToUtf8(HMACSHA256.HashData(key, payload))];
    }

    /// <summary>Reads a lease that is stored for <paramref name="service"/> and <paramref name="instanceId"/>.</summary>
    public static LeaseVerdict Read(
        ReadOnlySpan<byte> signed, string service, string instanceId, ReadOnlySpan<byte> key, DateTimeOffset now, TimeSpan clockSkew, out InstanceLease? lease)
    {
        lease = null;
        var end = signed.LastIndexOf((byte)'\n') + 1;
        if (signed.Length > MaxBytes || end == 0)
        {
            return LeaseVerdict.Malformed;
        }

        // The signature first: what nobody vouches for is not looked at.
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, signed[..end], expected);
        Span<byte> presented = stackalloc byte[HMACSHA256.HashSizeInBytes];
        if (Base64Url.DecodeFromUtf8(signed[end..], presented, out _, out var length) != OperationStatus.Done
            || length != presented.Length
            || !CryptographicOperations.FixedTimeEquals(expected, presented))
        {
            return LeaseVerdict.Forged;
        }

        if (Encoding.UTF8.GetString(signed[..(end - 1)]).Split('\n') is not [Kind, var signedService, var signedId, var url, var zone, var weightText, var statusText, var expiryText]
            || !Uri.TryCreate(url, UriKind.Absolute, out var address) || !IsAddress(address)
            || (zone.Length > 0 && !IsZone(zone))
            || !int.TryParse(weightText, NumberStyles.None, CultureInfo.InvariantCulture, out var weight) || weight is < 1 or > 1000
            || statusText is not ("ready" or "draining")
            || !long.TryParse(expiryText, NumberStyles.None, CultureInfo.InvariantCulture, out var expiry) || expiry > DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
        {
            return LeaseVerdict.Malformed;
        }

        if (signedService != service || signedId != instanceId || !ServiceIdentity.IsInstanceId(instanceId))
        {
            return LeaseVerdict.Foreign;
        }

        var expiresAt = DateTimeOffset.FromUnixTimeMilliseconds(expiry);
        if (expiresAt <= now - clockSkew)
        {
            return LeaseVerdict.Expired;
        }

        if (expiresAt > now + MaxTimeToLive + clockSkew)
        {
            return LeaseVerdict.TooLong;
        }

        lease = new InstanceLease(
            service, instanceId, address, zone.Length == 0 ? null : zone, weight,
            statusText == "draining" ? InstanceStatus.Draining : InstanceStatus.Ready, expiresAt);
        return LeaseVerdict.Valid;
    }

    public static bool IsAddress(Uri address) =>
        address.IsAbsoluteUri && address.Scheme is "http" or "https" && address.Host.Length > 0
        && address.AbsolutePath == "/" && address.Query.Length == 0 && address.Fragment.Length == 0 && address.UserInfo.Length == 0;

    public static bool IsZone(string zone) => zone.Length is >= 1 and <= 64 && !zone.AsSpan().ContainsAnyExcept(NameCharacters);

    public static bool IsService(string service) => service.Length is >= 1 and <= 64 && !service.AsSpan().ContainsAnyExcept(NameCharacters);
}
