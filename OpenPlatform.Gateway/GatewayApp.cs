namespace OpenPlatform.Gateway;

/// <summary>Marks this assembly for test hosts and the app model: the data plane.</summary>
public sealed class GatewayApp
{
    private GatewayApp()
    {
    }
}
