using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Catalog.Webhooks;

/// <summary>One event as it was received.</summary>
internal sealed record Received(Dictionary<string, string> Headers, string Body, int Status)
{
    public string Id => Headers["webhook-id"];

    public JsonElement Event { get; } = JsonElement.Parse(Body);

    public string Subject => Event.GetProperty("subject").GetString()!;

    public int Number => Event.GetProperty("data").GetProperty("number").GetInt32();
}

/// <summary>A partner's server that remembers what it was sent and answers what the test wants.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly TestBackend _server;

    private Receiver(TestBackend server, ConcurrentQueue<Received> all) => (_server, All) = (server, all);

    public ConcurrentQueue<Received> All { get; }

    public string Url => new Uri(_server.Address, "/hook").ToString();

    /// <param name="answer">Status of the answer; may take its time.</param>
    public static async Task<Receiver> StartAsync(Func<Received, HttpContext, Task<int>>? answer = null)
    {
        var all = new ConcurrentQueue<Received>();
        var server = await TestBackend.StartAsync(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var received = new Received(
                context.Request.Headers.ToDictionary(static header => header.Key.ToLowerInvariant(), static header => header.Value.ToString(), StringComparer.Ordinal), await reader.ReadToEndAsync(), 200);
            context.Response.StatusCode = answer is null ? 200 : await answer(received, context);
            all.Enqueue(received with { Status = context.Response.StatusCode });
        });
        return new(server, all);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
