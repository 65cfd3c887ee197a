using System.Runtime.InteropServices;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>What consistent hash goes by; null for a policy that hashes nothing.</summary>
internal abstract class BalancingKey
{
    private const string HeaderPrefix = "header:";

    public static BalancingKey? Of(BalancingPolicy policy) => policy.Algorithm != BalancingAlgorithm.ConsistentHash ? null : policy.HashOn switch
    {
        null or "application" => new ApplicationKey(),
        "ip" => new AddressKey(),
        "path" => new PathKey(),
        var header => new HeaderKey(header[HeaderPrefix.Length..]),
    };

    /// <summary>Allocates nothing.</summary>
    public abstract ulong Hash(GatewayRequest request);

    private sealed class ApplicationKey : BalancingKey
    {
        public override ulong Hash(GatewayRequest request)
        {
            var id = request.Application.ApplicationId;
            return KeyHash64.Of(MemoryMarshal.AsBytes(new ReadOnlySpan<Guid>(in id)));
        }
    }

    private class AddressKey : BalancingKey
    {
        public override ulong Hash(GatewayRequest request)
        {
            Span<byte> bytes = stackalloc byte[16];
            return request.ClientAddress.TryWriteBytes(bytes, out var length) ? KeyHash64.Of(bytes[..length]) : 0;
        }
    }

    private sealed class PathKey : BalancingKey
    {
        public override ulong Hash(GatewayRequest request) => KeyHash64.Of(request.Http.Request.Path.Value);
    }

    /// <summary>A request without the header goes by its address: as even, and as steady, as can be.</summary>
    private sealed class HeaderKey(string name) : AddressKey
    {
        public override ulong Hash(GatewayRequest request) =>
            request.Http.Request.Headers[name] is [{ Length: > 0 } value, ..] ? KeyHash64.Of(value) : base.Hash(request);
    }
}
