using System.Collections.Frozen;
using System.Runtime.InteropServices;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Context;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Splits;

/// <summary>A compiled <see cref="SplitPolicy"/>: which backend of the API answers a request. Choosing allocates nothing.</summary>
internal sealed class SplitModel
{
    public const string VariantHeader = "X-OpenPlatform-Variant";

    /// <summary>The name of the API's own backend in the marker.</summary>
    private const string Default = "default";

    private const ulong FnvOffset = 14695981039346656037;

    private readonly record struct ByHeader(string Name, string Value, int Variant);

    private readonly (string Name, BackendState Backend)[] _variants;
    private readonly ByHeader[] _headers;
    private readonly FrozenDictionary<Guid, int>? _applications;

    /// <summary>Upper end of each variant's part of the hash space; what lies above the last one is the API's own backend's.</summary>
    private readonly ulong[] _ends;

    private readonly ulong _seed;
    private readonly string? _stickyHeader;
    private readonly bool _show;

    public SplitModel(Guid versionId, SplitPolicy policy, IReadOnlyDictionary<Guid, BackendState> backends)
    {
        _variants = [.. policy.Variants.Select(v => (v.Name, backends[v.BackendId]))];
        _headers = [.. policy.Variants.Index().Where(static v => v.Item.Header is not null).Select(static v => new ByHeader(v.Item.Header!.Name, v.Item.Header.Value, v.Index))];
        var applications = policy.Variants.Index().SelectMany(static v => (v.Item.Applications ?? []).Select(application => (application, v.Index))).ToArray();
        _applications = applications.Length == 0 ? null : applications.DistinctBy(static a => a.application).ToFrozenDictionary(static a => a.application, static a => a.Index);
        var sum = 0d;
        _ends = [.. policy.Variants.Select(v => (sum += v.WeightPercent) >= 99.9999 ? ulong.MaxValue : (ulong)(sum / 100 * ulong.MaxValue))];
        _stickyHeader = policy.StickyHeader;
        _show = policy.ShowVariant;

        // Another API's canary hits other applications. Growing a weight keeps those that have the variant already.
        _seed = Hash(FnvOffset, MemoryMarshal.AsBytes([versionId]));
    }

    /// <summary>The backend for a request, and its variant's name when answers show it.</summary>
    public BackendState Choose(HttpContext context, GatewayRequest request)
    {
        var variant = Variant(context.Request.Headers, request.Application.ApplicationId);
        request.Variant = !_show ? null : variant < 0 ? Default : _variants[variant].Name;
        return variant < 0 ? request.Operation.Api.Backend : _variants[variant].Backend;
    }

    /// <summary>Position of the variant, or -1: the API's own backend.</summary>
    internal int Variant(IHeaderDictionary headers, Guid application)
    {
        foreach (var rule in _headers)
        {
            if (headers.TryGetValue(rule.Name, out var given) && given.Count == 1 && string.Equals(given[0], rule.Value, StringComparison.Ordinal))
            {
                return rule.Variant;
            }
        }

        if (_applications is not null && _applications.TryGetValue(application, out var named))
        {
            return named;
        }

        var hash = _stickyHeader is not null && headers.TryGetValue(_stickyHeader, out var sticky) && sticky.Count > 0
            ? Hash(_seed, MemoryMarshal.AsBytes(sticky[0].AsSpan()))
            : Hash(_seed, MemoryMarshal.AsBytes([application]));
        var place = Mix(hash);
        for (var i = 0; i < _ends.Length; i++)
        {
            if (place < _ends[i])
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>FNV-1a: the same on every replica and after every restart, which <see cref="HashCode"/> is not.</summary>
    private static ulong Hash(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (var b in bytes)
        {
            hash = (hash ^ b) * 1099511628211;
        }

        return hash;
    }

    /// <summary>The finalizer of MurmurHash3: FNV's upper bits alone are uneven for short keys.</summary>
    private static ulong Mix(ulong hash)
    {
        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
        return hash ^ (hash >> 33);
    }
}
