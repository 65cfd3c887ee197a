using Microsoft.AspNetCore.Http.Features;

namespace OpenPlatform.Gateway.Protocols;

/// <summary>WebSockets over HTTP/1 (RFC 6455) and HTTP/2 (RFC 8441).</summary>
internal static class WebSockets
{
    /// <summary>The method an operation has in the snapshot: a WebSocket is a GET, whatever HTTP/2 makes of it.</summary>
    public static string MethodOf(HttpContext context) => IsExtendedConnect(context) ? HttpMethods.Get : context.Request.Method;

    public static bool IsExtendedConnect(HttpContext context) =>
        HttpMethods.IsConnect(context.Request.Method) && context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true, Protocol: "websocket" };

    /// <summary>From the moment this request becomes a WebSocket, it will be told when the gateway leaves.</summary>
    public static void Watch(HttpContext context, Drain drain)
    {
        if (context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } upgrade)
        {
            context.Features.Set<IHttpUpgradeFeature>(new Upgrade(upgrade, drain));
        }
        else if (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            context.Features.Set<IHttpExtendedConnectFeature>(new Connect(connect, drain));
        }
    }

    private sealed class Upgrade(IHttpUpgradeFeature inner, Drain drain) : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => inner.IsUpgradableRequest;

        public async Task<Stream> UpgradeAsync() => new GoingAwayStream(await inner.UpgradeAsync(), drain.Leaving);
    }

    private sealed class Connect(IHttpExtendedConnectFeature inner, Drain drain) : IHttpExtendedConnectFeature
    {
        public bool IsExtendedConnect => inner.IsExtendedConnect;

        public string? Protocol => inner.Protocol;

        public async ValueTask<Stream> AcceptAsync() => new GoingAwayStream(await inner.AcceptAsync(), drain.Leaving);
    }
}
