using System.Net;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Options;
using OpenPlatform.Catalog.Webhooks;

namespace OpenPlatform.Tests.Catalog.Webhooks;

public sealed class WebhookGuardTests
{
    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("192.168.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:169.254.169.254", false)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:4700::1111", true)]
    [InlineData("192.0.2.7", true)]
    public void Webhooks_reach_public_addresses_and_allowed_networks_only(string address, bool allowed)
    {
        var guard = new WebhookGuard(Options.Create(new WebhookOptions { AllowedNetworks = "192.0.2.0/28" }), new HostingEnvironment { EnvironmentName = "Production" });
        Assert.Equal(allowed, guard.Allows(IPAddress.Parse(address)));
    }
}
