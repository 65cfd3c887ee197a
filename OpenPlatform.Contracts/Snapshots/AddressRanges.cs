using System.Net;

namespace OpenPlatform.Contracts.Snapshots;

/// <summary>Reads addresses and CIDR ranges.</summary>
public static class AddressRanges
{
    /// <summary>A range such as <c>10.0.0.0/8</c>, or an address as the range that holds it alone. False also when bits are set behind
    /// the length: then somebody meant something else.</summary>
    public static bool TryParse(string? text, out IPNetwork range)
    {
        range = default;
        var slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (!IPAddress.TryParse(slash < 0 ? text : text.AsSpan(0, slash), out var address))
        {
            return false;
        }

        if (slash < 0)
        {
            range = new(address, address.GetAddressBytes().Length * 8);
            return true;
        }

        // The platform clears the bits behind the length without a word.
        return IPNetwork.TryParse(text, out range) && range.BaseAddress.Equals(address);
    }
}
