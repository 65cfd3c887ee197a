using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using OpenPlatform.Catalog.Security;

namespace OpenPlatform.Tests.Catalog.Access;

/// <summary>Whom the step in front of all endpoints lets through, for each kind of endpoint.</summary>
public sealed class AccessStepTests(CatalogFixture fixture) : IClassFixture<CatalogFixture>
{
    private const string Owner = $"Bearer {CatalogServer.AdminToken}";
    private const string Gateway = $"Bearer {CatalogServer.ServiceToken}";

    public static TheoryData<string, string?, int> Calls() => new()
    {
        { "everybody", null, 200 }, { "everybody", "Bearer nonsense", 200 }, { "everybody", Owner, 200 },
        { "permission", null, 401 }, { "permission", "Bearer nonsense", 401 }, { "permission", Gateway, 401 }, { "permission", Owner, 200 },
        { "gateways", null, 401 }, { "gateways", "Bearer nonsense", 401 }, { "gateways", Owner, 401 }, { "gateways", Gateway, 200 },
        { "says nothing", null, 401 }, { "says nothing", Gateway, 401 }, { "says nothing", Owner, 401 },
        { "no endpoint", null, 401 }, { "no endpoint", Gateway, 401 }, { "no endpoint", Owner, 200 },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Who_may_call_what(string endpoint, string? authorization, int status)
    {
        var (answered, caller) = await CallAsync(endpoint, authorization);

        Assert.Equal(status, answered);
        Assert.Equal(status == 200 && endpoint != "everybody", caller.Actor != "anonymous");
    }

    [Fact]
    public async Task The_same_header_again_is_the_same_caller_and_another_one_in_its_place_is_not()
    {
        // Kestrel gives one string again for all requests of a connection; what it stood for is remembered by that string.
        var (owner, gateway, wrong) = (new string(Owner), new string(Gateway), new string(Owner + "x"));
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await CallAsync("permission", owner)).Status);
            Assert.Equal(401, (await CallAsync("permission", gateway)).Status);
            Assert.Equal(401, (await CallAsync("permission", wrong)).Status);
        }

        for (var i = 0; i < 10_000; i++) // far more than are remembered
        {
            Assert.Equal(i % 2 == 0 ? 200 : 401, (await CallAsync("permission", i % 2 == 0 ? new string(Owner) : $"Bearer {i}")).Status);
        }
    }

    private async Task<(int Status, Caller Caller)> CallAsync(string endpoint, string? authorization)
    {
        using var started = fixture.Catalog.Anonymous();
        var app = new ApplicationBuilder(fixture.Catalog.Services);
        app.UseAccess();
        app.Run(static _ => Task.CompletedTask);
        var context = new DefaultHttpContext { RequestServices = fixture.Catalog.Services };
        context.SetEndpoint(endpoint switch
        {
            "everybody" => Endpoint(new AllowAnonymousAttribute()),
            "permission" => Endpoint(new NeededPermission(Permission.ReadApis)),
            "gateways" => Endpoint(new GatewaysOnly()),
            "says nothing" => Endpoint(),
            _ => null,
        });
        if (authorization is not null)
        {
            context.Request.Headers.Authorization = authorization;
        }

        await app.Build()(context);
        return (context.Response.StatusCode, Caller.Of(context));
    }

    private static RouteEndpoint Endpoint(params object[] metadata) => new(static _ => Task.CompletedTask, RoutePatternFactory.Parse("/x"), 0, new(metadata), null);
}
