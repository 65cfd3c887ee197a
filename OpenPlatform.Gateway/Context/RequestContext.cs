using System.Buffers;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Context;

/// <summary>Begins a request: takes the snapshot that decides it, gives it an id and finds out who called.</summary>
internal sealed class RequestContext(ActiveSnapshot active, OriginReader origins)
{
    private const int LongestRequestId = 128;

    private static readonly SearchValues<char> RequestIdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:+/=-");

    public GatewayRequest Begin(HttpContext http, RequestPurpose purpose = RequestPurpose.Traffic) => new(http, active.Current ?? GatewaySnapshot.None, RequestId(http))
    {
        Purpose = purpose,
        Origin = origins.Read(http),
        Client = HttpProtocol.IsHttp11(http.Request.Protocol) || HttpProtocol.IsHttp10(http.Request.Protocol) ? http.Features.Get<ClientConnection>() : null,
    };

    /// <summary>True for <c>/health</c> and <c>/alive</c>, as long as no API is published there.</summary>
    public static bool IsProbe(HttpContext http, ActiveSnapshot active) =>
        http.Request.Path.Value is "/health" or "/alive" && active.Current?.Routes.Claims(http.Request.Path.Value) != true;

    private static string RequestId(HttpContext http)
    {
        if (http.Request.Headers.TryGetValue(RequestContextMiddleware.RequestIdHeader, out var values) && values is [{ Length: > 0 and <= LongestRequestId } given]
            && !given.AsSpan().ContainsAnyExcept(RequestIdCharacters))
        {
            return given;
        }

        return http.TraceIdentifier;
    }
}
