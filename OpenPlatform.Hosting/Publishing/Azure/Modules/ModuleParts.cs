using OpenPlatform.Hosting.Publishing.Azure.Bicep;
using static OpenPlatform.Hosting.Publishing.Azure.Bicep.BicepValue;

namespace OpenPlatform.Hosting.Publishing.Azure.Modules;

/// <summary>What several modules say the same way.</summary>
internal static class ModuleParts
{
    public static readonly BicepParameter
        Location = new("location", "string", "Region."),
        Tags = new("tags", "object", "Of every resource; azd finds its environment by them.");

    public static BicepParameter Token() => new("token", "string", "Makes names unique in the world.", null, false, ("minLength", 13));

    public static BicepMap Named(string prefix, BicepMap properties) => new()
    {
        ["name"] = Text($"{prefix}-", Symbol("token")),
        ["location"] = Symbol("location"),
        ["tags"] = Symbol("tags"),
        ["properties"] = properties,
    };

    public static BicepMap WithSku(BicepMap resource, BicepValue sku, BicepMap properties, string? tier = null)
    {
        resource["sku"] = new BicepMap { ["name"] = sku, ["tier"] = tier is null ? null : (BicepValue)tier };
        resource["properties"] = properties;
        return resource;
    }

    /// <param name="unless">It is left as it is where this holds.</param>
    public static BicepResource Secret(string symbol, string name, BicepValue value, BicepExpression vault, BicepExpression? unless) =>
        new(symbol, AzureTypes.VaultSecret, new() { ["parent"] = vault, ["name"] = name, ["properties"] = new BicepMap { ["value"] = value } }, If: unless is null ? null : new($"!{unless.Code}"));

    /// <summary>Brings a service of Azure into the network, under the name that it has outside.</summary>
    public static IEnumerable<BicepStatement> Endpoint(string symbol, string group) =>
    [
        new BicepResource($"{symbol}Endpoint", AzureTypes.PrivateEndpoint, new()
        {
            ["name"] = Text(Symbol(symbol).Get("name"), "-endpoint"),
            ["location"] = Symbol("location"),
            ["tags"] = Symbol("tags"),
            ["properties"] = new BicepMap
            {
                ["subnet"] = new BicepMap { ["id"] = Symbol("subnetId") },
                ["privateLinkServiceConnections"] = new BicepList
                {
                    new BicepMap { ["name"] = symbol, ["properties"] = new BicepMap { ["privateLinkServiceId"] = Symbol(symbol).Get("id"), ["groupIds"] = Texts([group]) } },
                },
            },
        }),
        new BicepResource($"{symbol}Names", AzureTypes.PrivateEndpointZones, new()
        {
            ["parent"] = Symbol($"{symbol}Endpoint"),
            ["name"] = "default",
            ["properties"] = new BicepMap { ["privateDnsZoneConfigs"] = new BicepList { new BicepMap { ["name"] = symbol, ["properties"] = new BicepMap { ["privateDnsZoneId"] = Symbol("zoneId") } } } },
        }),
    ];
}
