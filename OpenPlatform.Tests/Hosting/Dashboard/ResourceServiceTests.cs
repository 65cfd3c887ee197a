using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Google.Protobuf;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenPlatform.Hosting.Dashboard;
using OpenPlatform.Hosting.Dashboard.Wire;

namespace OpenPlatform.Tests.Hosting.Dashboard;

/// <summary>The resource service on the wire, asked by a client that frames by itself.</summary>
public sealed class ResourceServiceTests : IAsyncLifetime
{
    private readonly ExecutableResource _orders = new("orders", "orders", "/");
    private readonly HttpClient _http = new() { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
    private DistributedApplication _application = null!;
    private Uri _address = null!;

    public async ValueTask InitializeAsync()
    {
        var builder = DistributedApplication.CreateBuilder(["--DcpPublisher:RandomizePorts=true"]);
        builder.AddResource(_orders);
        _application = builder.Build();
        _address = await _application.Services.GetRequiredService<ResourceServiceHost>().StartAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _application.DisposeAsync();
    }

    [Fact]
    public async Task A_caller_without_the_key_learns_nothing()
    {
        foreach (var key in new[] { null, "", "wrong" })
        {
            using var answer = await CallAsync("WatchResources", [], key);
            Assert.Equal("16", answer.Headers.GetValues("grpc-status").Single());
            Assert.Empty(await answer.Content.ReadAsByteArrayAsync(Cancel));
        }
    }

    [Fact]
    public async Task An_unknown_method_is_unimplemented()
    {
        using var answer = await CallAsync("UploadFile", [], Key);
        Assert.Equal("12", answer.Headers.GetValues("grpc-status").Single());
    }

    [Fact]
    public void The_token_of_the_page_is_in_the_configuration_as_Aspire_has_it() => Assert.Equal(
        _application.Services.GetRequiredService<DashboardSettings>().BrowserToken, _application.Services.GetRequiredService<IConfiguration>()["AppHost:BrowserToken"]);

    [Fact]
    public async Task The_application_has_a_name()
    {
        using var answer = await CallAsync("GetApplicationInformation", Frame([]), Key);
        var body = await answer.Content.ReadAsByteArrayAsync(Cancel);
        Assert.NotEmpty(ApplicationInformationResponse.Parser.ParseFrom(body.AsSpan(GrpcFrames.HeaderBytes)).ApplicationName);
        Assert.Equal("0", answer.TrailingHeaders.GetValues("grpc-status").Single());
    }

    [Fact]
    public async Task A_stream_of_resources_begins_with_those_that_are_there_and_goes_on_with_changes()
    {
        await _application.ResourceNotifications.PublishUpdateAsync(_orders, "orders-1", s => s with { State = KnownResourceStates.Starting });
        using var answer = await CallAsync("WatchResources", Frame([]), Key);
        var stream = PipeReader.Create(await answer.Content.ReadAsStreamAsync(Cancel));
        var first = await NextAsync(stream, WatchResourcesUpdate.Parser);
        var orders = Assert.Single(first.InitialData.Resources);
        Assert.Equal(("orders-1", "orders", "Starting", "Executable"), (orders.Name, orders.DisplayName, orders.State, orders.ResourceType));

        await _application.ResourceNotifications.PublishUpdateAsync(_orders, "orders-1", s => s with { State = KnownResourceStates.Running });
        var second = await NextAsync(stream, WatchResourcesUpdate.Parser);
        Assert.Equal("Running", Assert.Single(second.Changes.Value).Upsert.State);

        _application.ResourceNotifications.Remove(_orders, "orders-1");
        var third = await NextAsync(stream, WatchResourcesUpdate.Parser);
        Assert.Equal("orders-1", Assert.Single(third.Changes.Value).Delete.ResourceName);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;
    private string Key => _application.Services.GetRequiredService<DashboardSettings>().ResourceServiceKey;

    private Task<HttpResponseMessage> CallAsync(string method, byte[] body, string? key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_address, $"/aspire.v1.DashboardService/{method}"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        if (key is not null)
        {
            request.Headers.Add(ResourceService.ApiKeyHeader, key);
        }
        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
    }

    private static byte[] Frame(byte[] message) => [0, 0, 0, (byte)(message.Length >> 8), (byte)message.Length, .. message];

    private static Task<T> NextAsync<T>(PipeReader stream, MessageParser<T> parser) where T : IMessage<T> => GrpcFrames.ReadAsync(stream, parser, Cancel);
}
