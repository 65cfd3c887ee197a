using System.Collections.Concurrent;

namespace OpenPlatform.Tests.Gateway.Support;

/// <summary>Clients that call as fast as they are answered and write down everything that is not a success.</summary>
internal sealed class Load
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _failures = new();
    private readonly List<Task> _clients = [];
    private long _answers;

    /// <summary>Answers with success so far.</summary>
    public long Answers => Interlocked.Read(ref _answers);

    public static Load Start(Func<HttpClient> client, string path, int clients = 8)
    {
        var load = new Load();
        for (var i = 0; i < clients; i++)
        {
            load._clients.Add(Task.Run(() => load.CallAsync(client(), path)));
        }

        return load;
    }

    /// <summary>What went wrong; calls that are under way are finished first.</summary>
    public async Task<IReadOnlyCollection<string>> StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
        _stop.Dispose();
        return _failures;
    }

    private async Task CallAsync(HttpClient client, string path)
    {
        using (client)
        {
            while (!_stop.IsCancellationRequested)
            {
                try
                {
                    using var response = await client.GetAsync(path, CancellationToken.None);
                    if (response.IsSuccessStatusCode)
                    {
                        Interlocked.Increment(ref _answers);
                    }
                    else
                    {
                        _failures.Enqueue($"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(CancellationToken.None)}");
                    }
                }
                catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
                {
                    _failures.Enqueue(e.Message);
                }
            }
        }
    }
}
