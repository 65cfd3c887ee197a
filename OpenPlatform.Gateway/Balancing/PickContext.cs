using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Balancing;

/// <summary>What a pick may know of the request; made once a request and backend, used for all its tries.</summary>
/// <param name="Hash">Hash of the balancing key; 0 where the backend's policy uses none.</param>
/// <param name="MayRepeat">True when a failed try can be repeated on another instance: such requests are the ones that try out
/// an instance that may be still broken.</param>
internal readonly record struct PickContext(ulong Hash, bool MayRepeat)
{
    public static PickContext For(GatewayRequest request, bool mayRepeat) => new(request.Backend.Key?.Hash(request) ?? 0, mayRepeat);
}
