using System.Net;
using OpenPlatform.ServiceDefaults.Deployment;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.ServiceDefaults.Deployment;

public sealed class ProbeCommandTests
{
    [Theory]
    [InlineData(HttpStatusCode.OK, 0)]
    [InlineData(HttpStatusCode.ServiceUnavailable, 1)]
    [InlineData(HttpStatusCode.Found, 1)]
    public async Task The_exit_code_says_whether_the_answer_is_200(HttpStatusCode status, int exitCode)
    {
        await using var service = await TestBackend.StartAsync(context =>
        {
            context.Response.StatusCode = (int)status;
            context.Response.Headers.Location = "/";
            return Task.CompletedTask;
        });
        Assert.Equal(exitCode, ProbeCommand.ExitCodeOrNull(["service.dll", "--probe", new Uri(service.Address, "/health").ToString()]));
    }

    [Fact]
    public void Nobody_there_is_1_no_URL_is_2_and_without_the_switch_the_service_runs()
    {
        Assert.Equal(1, ProbeCommand.ExitCodeOrNull(["service.dll", "--probe", "http://127.0.0.1:9/health"]));
        Assert.Equal(2, ProbeCommand.ExitCodeOrNull(["service.dll", "--probe", "somewhere"]));
        Assert.Equal(2, ProbeCommand.ExitCodeOrNull(["service.dll", "--probe"]));
        Assert.Null(ProbeCommand.ExitCodeOrNull(["service.dll", "--urls", "http://127.0.0.1:0"]));
    }
}
