using System.Reflection;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.ApplicationModel;

/// <summary>The testing builder runs a real entry point up to Build, and again when the test starts the application.</summary>
public sealed class TestingBuilderTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_builder_of_the_entry_point_is_handed_out_with_test_settings()
    {
        await using var builder = await CreateAsync(nameof(EntryPoints.Shop), "--Own=1");
        Assert.True(builder.Resources.TryGetByName("greeting", out _));
        Assert.Equal("1", builder.Configuration["Own"]);
        var options = builder.Services.Select(s => s.ImplementationInstance).OfType<HostingOptions>().Single();
        Assert.Equal((true, false, true, true), (options.RandomizePorts, options.DashboardEnabled, options.TemporaryData, options.Quiet));
        Assert.Equal("Development", builder.Environment.EnvironmentName);
    }

    [Fact]
    public async Task What_the_test_changes_is_in_the_application_that_the_entry_point_builds()
    {
        await using var builder = await CreateAsync(nameof(EntryPoints.Shop));
        builder.AddParameter("added", "by the test");
        await using var app = await builder.BuildAsync(Stop);
        var model = app.Services.GetRequiredService<DistributedApplicationModel>();
        Assert.Equal(["greeting", "added"], model.Resources.Select(r => r.Name));
    }

    [Fact]
    public async Task The_dashboard_comes_when_it_is_asked_for()
    {
        await using var builder = await DistributedApplicationTestingBuilder.RunAsync(Method(nameof(EntryPoints.Shop)), [], (options, _) => options.DisableDashboard = false, Stop);
        Assert.True(builder.Services.Select(s => s.ImplementationInstance).OfType<HostingOptions>().Single().DashboardEnabled);
    }

    [Fact]
    public async Task Several_applications_are_built_at_once_and_do_not_see_each_other()
    {
        var builders = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => CreateAsync(nameof(EntryPoints.Shop), $"--Own={i}")));
        Assert.Equal(Enumerable.Range(0, 8).Select(i => $"{i}"), builders.Select(b => b.Configuration["Own"]));
        foreach (var builder in builders)
        {
            await builder.DisposeAsync();
        }
    }

    [Fact]
    public async Task What_the_entry_point_throws_the_test_sees()
    {
        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => CreateAsync(nameof(EntryPoints.Broken)));
        Assert.Contains("'twice' is taken", error.Message, StringComparison.Ordinal);
        Assert.Contains("ended without building", (await Assert.ThrowsAsync<InvalidOperationException>(() => CreateAsync(nameof(EntryPoints.Nothing)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Questions_to_the_application_name_what_is_wrong()
    {
        await using var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddContainer("api", "image").WithHttpEndpoint(targetPort: 80).WithHttpsEndpoint(targetPort: 443);
        builder.AddConnectionString("db", ReferenceExpression.Create($"Host={"h"}"));
        await using var app = await builder.BuildAsync(Stop);
        Assert.Contains("no resource 'nope'", Assert.Throws<ArgumentException>(() => app.GetEndpoint("nope")).Message, StringComparison.Ordinal);
        Assert.Contains("it has: http, https", Assert.Throws<ArgumentException>(() => app.GetEndpoint("api", "grpc")).Message, StringComparison.Ordinal);
        Assert.Contains("start the application first", Assert.Throws<InvalidOperationException>(() => app.GetEndpoint("api")).Message, StringComparison.Ordinal);
        builder.Allocate();
        Assert.Equal("https://localhost:50002/", app.GetEndpoint("api").ToString());
        using var client = app.CreateHttpClient("api", "http");
        Assert.Equal("http://localhost:50001/", client.BaseAddress!.ToString());
        Assert.Equal("Host=h", await app.GetConnectionStringAsync("db", Stop));
    }

    private static Task<IDistributedApplicationTestingBuilder> CreateAsync(string entryPoint, params string[] args) =>
        DistributedApplicationTestingBuilder.RunAsync(Method(entryPoint), args, (_, _) => { }, Stop);

    private static MethodInfo Method(string name) => typeof(EntryPoints).GetMethod(name, BindingFlags.Static | BindingFlags.NonPublic)!;

    private static class EntryPoints
    {
        internal static async Task Shop(string[] args)
        {
            var builder = DistributedApplication.CreateBuilder(args);
            builder.AddParameter("greeting", "hello");
            await builder.Build().RunAsync();
        }

        internal static void Broken(string[] args)
        {
            var builder = DistributedApplication.CreateBuilder(args);
            builder.AddParameter("twice");
            builder.AddParameter("twice");
        }

        internal static void Nothing() { }
    }
}
