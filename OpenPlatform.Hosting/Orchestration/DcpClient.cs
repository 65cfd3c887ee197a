using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>DCP's API refused or failed; the message is DCP's own.</summary>
internal sealed class DcpException(HttpStatusCode status, string message) : Exception(message)
{
    public HttpStatusCode Status => status;
}

/// <summary>DCP's REST API. Trusts only the certificate that DCP made for this run.</summary>
internal sealed class DcpClient : IDisposable
{
    private const string Root = "apis/" + DcpObject.GroupVersion + "/";
    private static readonly TimeSpan GoneAfter = TimeSpan.FromSeconds(10);
    private readonly HttpClient _http;
    private readonly X509ChainPolicy _trust;

    /// <param name="server">Such as <c>https://127.0.0.1:40123</c>.</param>
    public DcpClient(Uri server, string token, string authorityPem)
    {
        _trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        _trust.CustomTrustStore.ImportFromPem(authorityPem);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            EnableMultipleHttp2Connections = true,
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = _trust },
        };
        // Watches and log streams live as long as the application: no overall timeout.
        _http = new HttpClient(handler) { BaseAddress = server, Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    public async Task WaitUntilReadyAsync(CancellationToken ct)
    {
        while (true)
        {
            try
            {
                using var answer = await _http.GetAsync("readyz", ct);
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(25), ct);
        }
    }

    /// <summary>Creates the object. Unknown fields are an error here; DCP would drop them silently.</summary>
    public async Task<T> CreateAsync<T>(T item, CancellationToken ct) where T : DcpObject, IDcpKind
    {
        using var answer = await _http.PostAsJsonAsync(Root + T.Plural + "?fieldValidation=Strict", item, Info<T>(), ct);
        return await ReadAsync<T>(answer, ct);
    }

    /// <summary>The object, or null where there is none of that name.</summary>
    public async Task<T?> GetAsync<T>(string name, CancellationToken ct) where T : DcpObject, IDcpKind
    {
        using var answer = await _http.GetAsync(PathOf<T>(name), ct);
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await ReadAsync<T>(answer, ct);
    }

    /// <summary>Deletes the object, which stops what runs. An object that is not there is deleted already. Returns before the process is gone.</summary>
    public async Task DeleteAsync<T>(string name, CancellationToken ct) where T : DcpObject, IDcpKind
    {
        using var answer = await _http.DeleteAsync(PathOf<T>(name), ct);
        if (answer.StatusCode != HttpStatusCode.NotFound)
        {
            await ThrowUnlessSuccessAsync(answer, ct);
        }
    }

    /// <summary>Asks for SIGTERM now and SIGKILL 6 s later (DCP's fixed grace).</summary>
    public async Task StopAsync<T>(string name, CancellationToken ct) where T : DcpObject, IDcpKind
    {
        using var answer = await _http.PatchAsync(PathOf<T>(name), MergePatch(DcpPatch.Stop), ct);
        if (answer.StatusCode != HttpStatusCode.NotFound)
        {
            await ThrowUnlessSuccessAsync(answer, ct);
        }
    }

    /// <summary>
    /// All objects as they are, then every change, until cancelled. After a lost connection everything comes again: treat ADDED as "is".
    /// </summary>
    /// <exception cref="DcpException">DCP has not answered for 10 s: it is gone.</exception>
    public async IAsyncEnumerable<DcpWatchEvent<T>> WatchAsync<T>([EnumeratorCancellation] CancellationToken ct) where T : DcpObject, IDcpKind
    {
        while (!ct.IsCancellationRequested)
        {
            await foreach (var line in LinesAsync(Root + T.Plural + "?watch=true", ct))
            {
                if (JsonSerializer.Deserialize(line, Info<DcpWatchEvent<T>>()) is { } change)
                {
                    yield return change;
                }
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
            limit.CancelAfter(GoneAfter);
            try
            {
                await WaitUntilReadyAsync(limit.Token);
            }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested)
            {
                throw new DcpException(HttpStatusCode.ServiceUnavailable, $"The orchestrator has not answered for {GoneAfter.TotalSeconds:0} s.");
            }
            catch (OperationCanceledException)
            {
            }
        }
    }

    /// <summary>
    /// Lines of one output, each with a leading RFC 3339 time; from the beginning. With <paramref name="follow"/> it waits for the start
    /// and ends some 6 s after the process (DCP's delay); it ends silently when the object or DCP goes.
    /// </summary>
    /// <param name="source"><c>stdout</c>, <c>stderr</c>, <c>system</c>, or for containers also <c>startup_stdout</c>, <c>startup_stderr</c>.</param>
    public IAsyncEnumerable<string> LogAsync<T>(string name, string source, bool follow, CancellationToken ct) where T : DcpObject, IDcpKind =>
        LinesAsync($"{PathOf<T>(name)}/log?source={source}&follow={(follow ? "true" : "false")}&timestamps=true", ct);

    public async Task<DcpExecution> GetExecutionAsync(CancellationToken ct)
    {
        using var answer = await _http.GetAsync("admin/execution", ct);
        return await ReadAsync<DcpExecution>(answer, ct);
    }

    /// <summary>Asks DCP to clean up or to end. Its last answer may be cut off by its own end: that is success.</summary>
    public async Task SetExecutionAsync(DcpExecution execution, CancellationToken ct)
    {
        try
        {
            using var answer = await _http.PatchAsync("admin/execution", MergePatch(execution), ct);
            await ThrowUnlessSuccessAsync(answer, ct);
        }
        catch (Exception e) when (e is HttpRequestException or IOException && execution.Status == "Stopping")
        {
        }
    }

    public void Dispose()
    {
        _http.Dispose();
        foreach (var certificate in _trust.CustomTrustStore)
        {
            certificate.Dispose();
        }
    }

    private async IAsyncEnumerable<string> LinesAsync(string path, [EnumeratorCancellation] CancellationToken ct)
    {
        using var answer = await OpenAsync(path, ct);
        if (answer is null)
        {
            yield break;
        }

        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(ct));
        while (true)
        {
            string? line;
            try
            {
                line = await reader.ReadLineAsync(ct);
            }
            catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
            {
                yield break;
            }

            if (line is null)
            {
                yield break;
            }

            yield return line;
        }
    }

    private async Task<HttpResponseMessage?> OpenAsync(string path, CancellationToken ct)
    {
        try
        {
            var answer = await _http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, ct);
            if (answer.IsSuccessStatusCode)
            {
                return answer;
            }

            answer.Dispose();
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
        }

        return null;
    }

    private static string PathOf<T>(string name) where T : IDcpKind => $"{Root}{T.Plural}/{Uri.EscapeDataString(name)}";

    private static JsonTypeInfo<T> Info<T>() => (JsonTypeInfo<T>)DcpJson.Default.GetTypeInfo(typeof(T))!;

    private static JsonContent MergePatch<T>(T body) =>
        JsonContent.Create(body, Info<T>(), new MediaTypeHeaderValue("application/merge-patch+json"));

    private static async Task<T> ReadAsync<T>(HttpResponseMessage answer, CancellationToken ct)
    {
        await ThrowUnlessSuccessAsync(answer, ct);
        return await answer.Content.ReadFromJsonAsync(Info<T>(), ct)
            ?? throw new DcpException(answer.StatusCode, "The orchestrator answered with an empty body.");
    }

    private static async Task ThrowUnlessSuccessAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        if (answer.IsSuccessStatusCode)
        {
            return;
        }

        var text = await answer.Content.ReadAsStringAsync(ct);
        string? message = null;
        try
        {
            message = JsonSerializer.Deserialize(text, Info<DcpError>())?.Message;
        }
        catch (JsonException)
        {
            // Not every refusal is a Status object; the raw text says it then.
        }

        throw new DcpException(answer.StatusCode, $"{(int)answer.StatusCode} {message ?? text}");
    }
}
