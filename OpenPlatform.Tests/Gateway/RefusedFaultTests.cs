using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenPlatform.Gateway.Framing;
using OpenPlatform.Gateway.Observability;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Tests.Gateway;

/// <summary>A step that throws: 500 in place of the answer, or an answer that does not look whole.</summary>
public sealed class RefusedFaultTests
{
    private static readonly string Begun = new('x', 1000);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Before_the_answer_began_it_is_a_refusal_without_anything_of_the_answer(string version)
    {
        await using var app = await StartAsync(static http =>
        {
            http.Response.StatusCode = 201;
            http.Response.Headers["X-Of-The-Answer"] = "a";
            http.Response.ContentLength = 3;
            return Task.CompletedTask;
        });
        using var client = new HttpClient();
        for (var i = 0; i < 2; i++)
        {
            using var response = await client.SendAsync(Request(app, version), Stop);
            await PipelineTests.AssertRefusedAsync(response, HttpStatusCode.InternalServerError, "internal-error");
            Assert.False(response.Headers.Contains("X-Of-The-Answer"));
            Assert.DoesNotContain("of a test", await response.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("1.1", true)]
    [InlineData("1.1", false)]
    [InlineData("2.0", true)]
    [InlineData("2.0", false)]
    public async Task After_it_began_the_answer_does_not_look_whole(string version, bool saysLength)
    {
        await using var app = await StartAsync(async http =>
        {
            http.Response.ContentLength = saysLength ? Begun.Length + 1 : null;
            await http.Response.WriteAsync(Begun, http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        });
        using var client = new HttpClient();
        for (var i = 0; i < 2; i++)
        {
            await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                using var response = await client.SendAsync(Request(app, version), HttpCompletionOption.ResponseHeadersRead, Stop);
                Assert.DoesNotContain("problem", await response.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
            });
        }
    }

    private static HttpRequestMessage Request(WebApplication app, string version) =>
        new(HttpMethod.Get, app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single())
        {
            Version = Version.Parse(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };

    private static async Task<WebApplication> StartAsync(RequestDelegate step)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddFramingGuard();
        builder.Services.AddSingleton(TimeProvider.System).AddSingleton<AccessLog>().AddSingleton<GatewayMetrics>().AddSingleton<RefusalWriter>().AddSingleton<FaultRefusals>();
        var app = builder.Build();
        var faults = app.Services.GetRequiredService<FaultRefusals>();
        app.Run(async http =>
        {
            await step(http);
            await faults.AnswerAsync(new(http, GatewaySnapshot.None, "id"), new InvalidOperationException("a fault of a test"));
        });
        await app.StartAsync(Stop);
        return app;
    }
}
