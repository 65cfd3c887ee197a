using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace OpenPlatform.Cli.Connection;

/// <summary>The admin API, with every answer that is no success turned into a <see cref="CommandFailure"/>.</summary>
internal sealed class CatalogClient : IDisposable
{
    private const string Root = "admin/v1/";
    private const int Tries = 3;

    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(500);

    private readonly HttpClient _http;

    /// <param name="token">Null: none is sent.</param>
    public CatalogClient(Uri server, string? token)
    {
        _http = new() { BaseAddress = server, Timeout = TimeSpan.FromMinutes(2) };
        _http.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
    }

    public Uri Server => _http.BaseAddress!;

    public void Dispose() => _http.Dispose();

    /// <param name="path">Relative to <c>/admin/v1/</c>.</param>
    public async Task<Answer> GetAsync(string path, CancellationToken cancellationToken) => await SendAsync(HttpMethod.Get, path, null, null, cancellationToken);

    /// <param name="ifMatch">ETag of the state that is to be changed; null: none is asked for.</param>
    public async Task<Answer> PostAsync(string path, JsonNode? body, string? ifMatch, CancellationToken cancellationToken) =>
        await SendAsync(HttpMethod.Post, path, body, ifMatch, cancellationToken);

    /// <summary>All items of a collection, page by page.</summary>
    public async IAsyncEnumerable<JsonNode> ListAsync(string path, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (string? next = path; next is not null;)
        {
            var page = await GetAsync(next, cancellationToken);
            foreach (var item in page.Body?["items"]?.AsArray() ?? [])
            {
                yield return item!;
            }

            next = page.Next;
        }
    }

    /// <summary>Tries again when nobody answered or the catalog cannot now: a POST carries one idempotency key through all tries, so it is made once.</summary>
    private async Task<Answer> SendAsync(HttpMethod method, string path, JsonNode? body, string? ifMatch, CancellationToken cancellationToken)
    {
        var key = Guid.CreateVersion7().ToString();
        for (var tries = 1; ; tries++)
        {
            try
            {
                return await SendOnceAsync(method, path, body, ifMatch, key, cancellationToken);
            }
            catch (CommandFailure failure) when (failure.Code == ExitCode.Unavailable && tries < Tries)
            {
                await Task.Delay(BetweenTries * tries, cancellationToken);
            }
        }
    }

    private async Task<Answer> SendOnceAsync(HttpMethod method, string path, JsonNode? body, string? ifMatch, string key, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, Root + path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body)) { Headers = { ContentType = new("application/json") } };
        }

        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        if (method == HttpMethod.Post)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        try
        {
            using var response = await _http.SendAsync(request, cancellationToken);
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            return response.IsSuccessStatusCode ? Answer.Of(response, text) : throw RefusedCall.Of(response, text);
        }
        catch (HttpRequestException e)
        {
            throw new CommandFailure(ExitCode.Unavailable, $"{Server} cannot be reached: {e.Message}", e);
        }
        catch (TaskCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandFailure(ExitCode.Unavailable, $"{Server} gave no answer within {_http.Timeout.TotalSeconds} s.", e);
        }
    }
}

/// <param name="Next">Path of the next page, relative to <c>/admin/v1/</c>.</param>
internal sealed record Answer(HttpStatusCode Status, JsonNode? Body, string? ETag, string? Next)
{
    public static Answer Of(HttpResponseMessage response, string text)
    {
        try
        {
            return new(response.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text), response.Headers.ETag?.ToString(), NextOf(response));
        }
        catch (JsonException e)
        {
            throw new CommandFailure(ExitCode.Unavailable, $"{response.RequestMessage?.RequestUri} is no catalog: its answer is no JSON.", e);
        }
    }

    private static string? NextOf(HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues("Link", out var links))
        {
            return null;
        }

        var next = links.SelectMany(static l => l.Split(',')).FirstOrDefault(static l => l.Contains("rel=\"next\"", StringComparison.Ordinal));
        var at = next?.IndexOf("admin/v1/", StringComparison.Ordinal) ?? -1;
        return at < 0 ? null : next![(at + "admin/v1/".Length)..next!.IndexOf('>', StringComparison.Ordinal)];
    }
}
