using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Degradation;
using OpenPlatform.Tests.Fixtures;
using OpenPlatform.Tests.Gateway.Support;

namespace OpenPlatform.Tests.Gateway.Degradation;

/// <summary>Answers from memory: what is kept, for whom, and for how long.</summary>
public sealed class CacheTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private TestBackend _backend = null!;
    private TestCatalog _catalog = null!;
    private GatewayHost _gateway = null!;
    private HttpClient _client = null!;
    private HttpClient _stranger = null!;
    private Action<HttpResponse> _headers = static response => response.Headers.CacheControl = "max-age=60";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _backend = await TestBackend.StartAsync(async context =>
        {
            _headers(context.Response);
            await context.Response.WriteAsync($"answer {_backend.Requests.Count}", context.RequestAborted);
        });
        _catalog = await TestCatalog.StartAsync(Snapshot(1, shared: false));
        _gateway = await GatewayHost.StartAsync(_catalog, _time);
        _client = _gateway.Client();
        _stranger = _gateway.Client(TestSnapshot.StrangerKey);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        _stranger.Dispose();
        await _gateway.DisposeAsync();
        await _catalog.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Fact]
    public async Task A_fresh_answer_comes_from_memory_with_its_age_and_only_to_the_application_that_got_it()
    {
        Assert.Equal("answer 1", (await CallAsync(_client)).Text);
        await KeptAsync();
        _time.Advance(TimeSpan.FromSeconds(10));
        var (text, response) = await CallAsync(_client);
        Assert.Equal("answer 1", text);
        Assert.Equal("openplatform; hit; ttl=50", response.Headers.GetValues("Cache-Status").Single());
        Assert.Equal(TimeSpan.FromSeconds(10), response.Headers.Age);
        Assert.NotEmpty(response.Headers.GetValues("X-Request-Id"));
        Assert.Equal("answer 2", (await CallAsync(_stranger)).Text);

        _time.Advance(TimeSpan.FromSeconds(51));
        Assert.Equal("answer 3", (await CallAsync(_client)).Text);
    }

    [Fact]
    public async Task Only_what_is_public_is_shared_and_only_where_the_policy_shares()
    {
        _headers = static response => response.Headers.CacheControl = "public, max-age=60";
        await CallAsync(_client);
        Assert.Equal("answer 2", (await CallAsync(_stranger)).Text);
        _catalog.Publish(Snapshot(2, shared: true));
        await Eventually.TrueAsync(() => _gateway.Snapshot.Current!.Revision == 2);
        Assert.Equal("answer 3", (await CallAsync(_client, "/orders/v1/orders?x")).Text);
        await KeptAsync(3);
        Assert.Equal("answer 3", (await CallAsync(_stranger, "/orders/v1/orders?x")).Text);
        _headers = static response => response.Headers.CacheControl = "max-age=60";
        await CallAsync(_client, "/orders/v1/orders?y");
        Assert.Equal("answer 5", (await CallAsync(_stranger, "/orders/v1/orders?y")).Text);
    }

    [Theory]
    [InlineData("Cache-Control", "no-store")]
    [InlineData("Cache-Control", "private, max-age=60")]
    [InlineData("Cache-Control", "no-cache")]
    [InlineData("Cache-Control", "max-age=60, =")]
    [InlineData("Vary", "*")]
    [InlineData("Set-Cookie", "a=b")]
    public async Task What_may_not_be_kept_is_not(string header, string value)
    {
        _headers = response => response.Headers[header] = value;
        Assert.Contains("bypass", (await CallAsync(_client)).Response.Headers.GetValues("Cache-Status").Single(), StringComparison.Ordinal);
        Assert.Equal("answer 2", (await CallAsync(_client)).Text);
        Assert.Equal(0, Bytes);
    }

    [Theory]
    [InlineData("Authorization", "Bearer token-of-a-person")]
    [InlineData("Cookie", "session=1")]
    [InlineData("Range", "bytes=0-1")]
    public async Task Requests_that_speak_for_a_person_or_want_a_part_pass_by(string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/orders/v1/orders");
        request.Headers.TryAddWithoutValidation(header, value);
        using var response = await _client.SendAsync(request, Stop);
        Assert.Equal(0, Bytes);
    }

    [Fact]
    public async Task Vary_tells_answers_apart()
    {
        _headers = static response => (response.Headers.CacheControl, response.Headers.Vary) = ("max-age=60", "Accept-Language");
        Assert.Equal("answer 1", (await CallAsync(_client, language: "de")).Text);
        Assert.Equal("answer 2", (await CallAsync(_client, language: "fr")).Text);
        await KeptAsync(2);
        Assert.Equal("answer 1", (await CallAsync(_client, language: "de")).Text);
        Assert.Equal("answer 2", (await CallAsync(_client, language: "fr")).Text);
    }

    [Fact]
    public async Task A_client_that_has_it_already_gets_304_and_one_that_wants_it_fresh_gets_it_fresh()
    {
        _headers = static response => (response.Headers.CacheControl, response.Headers.ETag) = ("max-age=60", "\"one\"");
        await CallAsync(_client);
        await KeptAsync();
        using (var conditional = new HttpRequestMessage(HttpMethod.Get, "/orders/v1/orders") { Headers = { { "If-None-Match", "W/\"one\"" } } })
        {
            using var response = await _client.SendAsync(conditional, Stop);
            Assert.Equal(HttpStatusCode.NotModified, response.StatusCode);
        }

        using var reload = new HttpRequestMessage(HttpMethod.Get, "/orders/v1/orders") { Headers = { { "Cache-Control", "no-cache" } } };
        using var fresh = await _client.SendAsync(reload, Stop);
        Assert.Equal("answer 2", await fresh.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task A_write_to_the_resource_makes_it_forget()
    {
        Assert.Equal("answer 1", (await CallAsync(_client, "/orders/v1/orders/1")).Text);
        await KeptAsync();
        using var put = await _client.PutAsync("/orders/v1/orders/1", new StringContent("{}"), Stop);
        await Eventually.TrueAsync(() => Bytes == 0);
        Assert.Equal("answer 3", (await CallAsync(_client, "/orders/v1/orders/1")).Text);
    }

    [Fact]
    public void It_never_holds_more_than_its_bytes_and_keeps_what_is_used()
    {
        var cache = new ResponseCache(Options.Create(new CacheOptions { MaxBytes = 100_000 }));
        var used = Answer(0);
        cache.Store(used);
        for (var i = 1; i < 2000; i++)
        {
            cache.Store(Answer(i));
            Assert.NotNull(cache.Find(used.Key, Guid.Empty, new HeaderDictionary()));
            Assert.InRange(cache.Bytes, 1, 100_000);
        }

        Assert.Null(cache.Find(Answer(1).Key, Guid.Empty, new HeaderDictionary()));
        for (var i = 0; i < 5000; i++)
        {
            cache.Store(Answer(7)); // the same one again and again
        }

        Assert.InRange(cache.Bytes, 1, 100_000);

        static CachedAnswer Answer(int number) =>
            new(new(Guid.Empty, Guid.Empty, "http", "host", $"/{number}", ""), Guid.Empty, [], [], new byte[1000], 0, 0, 60, 60);
    }

    [Fact]
    public void No_header_of_a_backend_can_make_it_fail()
    {
        string[] words = ["max-age", "s-maxage", "=", ",", "60", "-1", "99999999999999999999", "private", "public", "no-store", "\"", "*", "stale-if-error", " ", ";", "\\", "é", "Thu, 01 Jan 1970 00:00:00 GMT", "must-revalidate"];
        var random = new Random(5);
        for (var i = 0; i < 20_000; i++)
        {
            var context = new DefaultHttpContext { Request = { Method = "GET" } };
            foreach (var name in (string[])["Cache-Control", "Expires", "Vary", "Age", "ETag", "Date"])
            {
                context.Response.Headers[name] = string.Concat(random.GetItems(words, random.Next(0, 6)));
            }

            context.Request.Headers.CacheControl = string.Concat(random.GetItems(words, random.Next(0, 4)));
            CacheRules.WantsFresh(context.Request.Headers);
            var kept = CacheRules.Keep(new(Guid.Empty, Guid.Empty, "http", "host", "/", ""), Guid.Empty, new(Shared: true), context, DateTimeOffset.UnixEpoch);
            var control = context.Response.Headers.CacheControl.ToString();
            var forbids = !control.Contains('"') && control.Split(',', StringSplitOptions.TrimEntries).Any(static word => word is "private" or "no-store");
            Assert.True(kept is null || !forbids, control);
            _ = kept?.MayStandIn(DateTimeOffset.UtcNow);
        }
    }

    private long Bytes => _gateway.Services.GetRequiredService<ResponseCache>().Bytes;

    /// <summary>An answer is kept once the client has all of it, which may be a moment later.</summary>
    private Task KeptAsync(int count = 1) => Eventually.TrueAsync(() => Bytes > 512 * count);

    private Snapshot Snapshot(long revision, bool shared) =>
        TestSnapshot.Create([_backend.Address], revision).WithStrangerSubscribed().WithPolicies(new() { Cache = new(Shared: shared) });

    private static async Task<(string Text, HttpResponseMessage Response)> CallAsync(HttpClient client, string path = "/orders/v1/orders", string? language = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (language is not null)
        {
            request.Headers.AcceptLanguage.Add(new(language));
        }

        var response = await client.SendAsync(request, Stop);
        return (await response.Content.ReadAsStringAsync(Stop), response);
    }
}
