using Microsoft.Extensions.Options;
using OpenPlatform.Gateway.Instances;

namespace OpenPlatform.Gateway.Overload;

/// <summary>One gate for each backend: what has a capacity is the backend, not the API that calls it.</summary>
internal sealed class OverloadGates(IOptions<OverloadOptions> options)
{
    private readonly OverloadOptions? _options = options.Value.Enabled ? options.Value : null;

    /// <summary>Null: nothing is shed.</summary>
    public OverloadGate? For(BackendState backend) =>
        _options is null ? null : backend.Gate ?? Interlocked.CompareExchange(ref backend.Gate, new(_options), null) ?? backend.Gate;
}
