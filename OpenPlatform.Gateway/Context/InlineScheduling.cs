using System.Reflection;

namespace OpenPlatform.Gateway.Context;

/// <summary>
/// Answers of backends go on being handled on the thread that read them from the socket, as requests of clients do
/// (<c>UnsafePreferInlineScheduling</c>). The runtime reads the switch from the environment, once, with the first socket.
/// </summary>
internal static class InlineScheduling
{
    private const string Runtime = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", Own = "OpenPlatform__Gateway__InlineScheduling";

    /// <summary>True unless the environment says otherwise: then a slow continuation cannot hold up the others of its thread.</summary>
    public static bool IsOn => !string.Equals(Environment.GetEnvironmentVariable(Own), "false", StringComparison.OrdinalIgnoreCase);

    /// <summary>Before anything opens a socket. A host that carries more than the gateway (a test) keeps its own ways.</summary>
    public static void Prepare()
    {
        if (IsOn && Assembly.GetEntryAssembly() == typeof(GatewayApp).Assembly && Environment.GetEnvironmentVariable(Runtime) is null)
        {
            Environment.SetEnvironmentVariable(Runtime, "1");
        }
    }
}
