using Aspire.Hosting;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.Orchestration;

internal static class TestEngine
{
    private static readonly Lazy<Task<string>> Found = new(async () =>
    {
        await using var app = DistributedApplication.CreateBuilder().Build();
        return (await app.Services.GetRequiredService<IEngine>().LocateAsync(CancellationToken.None)).DcpPath;
    });

    public static Task<string> DcpPathAsync() => Found.Value;
}
